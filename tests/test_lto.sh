# SPDX-License-Identifier: MIT
# Optimised across all files, by gcc and by clang, the same calls make the same images.
. "${top_srcdir:?}/tests/package.sh"
cd "$scratch"

find "$top_srcdir/fuzz/regressions/calls" -type f ! -name '.*' >inputs
echo 'int main(void) { return 0; }' >empty.c
for compiler in $(compilers_of gcc clang); do
    "$compiler" -flto empty.c -o empty 2>/dev/null || continue
    HOST_CC=$compiler HOST_CFLAGS='-O3 -flto' sh "$top_srcdir/tests/target/images.sh" --host "$scratch/$compiler" ||
        fail "$compiler -O3 -flto"
    "./$compiler" 65536 20 inputs >"$compiler.hashes" || fail "the program of $compiler: $(tail -n 1 "$compiler.hashes")"
done
[ -f gcc.hashes ] && [ -f clang.hashes ] || skip "gcc and clang do not both link with -flto here"
cmp gcc.hashes clang.hashes || fail "the images are others: HOST_CC and HOST_CFLAGS of tests/target/images.sh make the programs"
echo "$(wc -l <gcc.hashes) sequences"
