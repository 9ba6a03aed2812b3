# SPDX-License-Identifier: MIT
# lib/ compiles without a warning: all five builds, C99 and C11, with and
# without --enable-debug, under gcc and clang.
. "${top_srcdir:?}/tests/package.sh"
cd "$scratch"

files=$(lib_c_files)
warnings="-Wall -Wextra -Wconversion -Wshadow -Wundef -Werror"
compiled=0

compile_build() {
    "$compiler" -std=$standard -O2 $warnings $debug $2 -I"$lib" -c $files ||
        fail "$compiler -std=$standard $debug, build $1"
    compiled=$((compiled + 1))
}

for compiler in $(compilers_of gcc clang); do
    for standard in c99 c11; do
        debug=
        for_each_build compile_build
    done
    debug=-DDEFRAG_DEBUG=1
    for_each_build compile_build
done
[ "$compiled" -gt 0 ] || skip "neither gcc nor clang is here"
echo "$compiled times lib/, $(echo "$files" | wc -l) files each"
