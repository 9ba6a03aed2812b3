# SPDX-License-Identifier: MIT
# The man pages are well-formed, and libdefrag(3) names every public function, status and flag.
. "${top_srcdir:?}/tests/package.sh"

while read -r name; do
    grep -q "^\.It Fn $name\$" "$top_srcdir/doc/libdefrag.3" || fail "libdefrag.3 does not name $name"
done <"$lib/libdefrag.sym"
constants=$(sed -n 's/^    \(DEFRAG_[A-Z_]*\) = .*/\1/p' "$lib/defrag.h")
[ -n "$constants" ] || fail "defrag.h has no constants"
for name in $constants; do
    grep -q "^\.\(It \)\?Dv $name\$" "$top_srcdir/doc/libdefrag.3" || fail "libdefrag.3 does not name $name"
done

command -v mandoc >/dev/null || skip "no mandoc here to check the man pages' form"
mandoc -T lint -W warning "$top_srcdir"/doc/*.[1-9] || fail "mandoc has complaints"
