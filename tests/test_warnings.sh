# SPDX-License-Identifier: MIT
# lib/ compiles without a warning: all five builds, C99 and C11, with and
# without --enable-debug, under gcc and clang.
. "${top_srcdir:?}/tests/package.sh"
cd "$scratch"

files=$(lib_c_files)
warnings="-Wall -Wextra -Wconversion -Wshadow -Wundef -Werror"
compiled=0

# How far a compiler goes: what gcc warns of depends on what its optimisers see, clang has looked before them.
depth_of() {
    case $1 in
    gcc) echo -O2 -c ;;
    clang) echo -fsyntax-only ;;
    esac
}

compile_build() {
    "$compiler" -std=$standard $warnings $debug $2 -I"$lib" $(depth_of "$compiler") $files ||
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

modules="jansson smartcols libzstd cmocka"
if [ "${TOOLS:-no}" = yes ] && pkg-config --exists $modules; then
    programs=$(ls "$top_srcdir"/tools/*.c "$top_srcdir"/tests/*.c "$top_srcdir"/fuzz/*.c |
        grep -v -e _one -e /header -e /consumer -e /misuse_run)
    for compiler in $(compilers_of gcc clang); do
        "$compiler" -std=gnu11 $warnings -D_GNU_SOURCE= -DPKGLIBDIR='""' -I"$top_srcdir" -I"$lib" \
            -I"$top_srcdir/tools" -I"$top_srcdir/tests" $(pkg-config --cflags $modules) $(depth_of "$compiler") $programs ||
            fail "$compiler, the tools and the tests"
    done
else
    echo "without the tools and the tests: their libraries are not here"
fi
[ "$compiled" -gt 0 ] || skip "neither gcc nor clang is here"
echo "$compiled times lib/, $(echo "$files" | wc -l) files each"
