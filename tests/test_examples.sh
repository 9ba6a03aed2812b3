# SPDX-License-Identifier: MIT
# Each example prints what the file beside it says.
. "${top_srcdir:?}/tests/package.sh"

run=0
for expected in "$top_srcdir"/examples/*.txt; do
    name=$(basename "$expected" .txt)
    "$top_builddir/examples/$name" >"$scratch/printed" || fail "$name ends with status $?"
    diff "$expected" "$scratch/printed" || fail "$name prints something else"
    run=$((run + 1))
done
[ "$run" -gt 0 ] || fail "there is no example"
