# SPDX-License-Identifier: MIT
# The man pages are well-formed, and libdefrag(3) names every public function.
. "${top_srcdir:?}/tests/package.sh"

while read -r name; do
    grep -q "^\.It Fn $name\$" "$top_srcdir/doc/libdefrag.3" || fail "libdefrag.3 does not name $name"
done <"$lib/libdefrag.sym"

command -v mandoc >/dev/null || skip "no mandoc here to check the man pages' form"
mandoc -T lint -W warning "$top_srcdir"/doc/*.[1-9] || fail "mandoc has complaints"
