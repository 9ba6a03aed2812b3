# SPDX-License-Identifier: MIT
# clang-tidy finds nothing that .clang-tidy looks for: lib/, narrow and plain as well
# as wide and hardened, and tools/.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=.}"
. "$top_srcdir/tests/package.sh"
command -v clang-tidy >/dev/null || skip "no clang-tidy here; on Debian: apt-get install clang-tidy"

made_with=14
version=$(clang-tidy --version | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p')
command -v getconf >/dev/null && jobs=$(getconf _NPROCESSORS_ONLN) || jobs=1

# tidy OPTION...: on $files, each in a run of its own, since in one run clang 14 confuses them.
tidy() {
    printf '%s\n' $files | xargs -P "$jobs" -I FILE \
        clang-tidy --quiet --config-file="$top_srcdir/.clang-tidy" FILE -- "$@" -I"$lib" \
        >>"$scratch/found" 2>>"$scratch/messages" || status=1
}

# It sees what it should: a division by zero.
echo 'int f(int a); int f(int a) { if (a == 0) return 1 / a; return 0; }' >"$scratch/wrong.c"
status=0 files=$scratch/wrong.c
tidy -std=c11
[ "$status" -ne 0 ] && grep -q DivideZero "$scratch/found" || {
    cat "$scratch/messages"
    fail "clang-tidy does not see a division by zero"
}
: >"$scratch/found"

status=0
files=$(lib_c_files)
tidy -std=c11 -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8
tidy -std=c11 -DDEFRAG_BUILDING -DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=8 -DDEFRAG_DEBUG=1 -DDEFRAG_HARDENING=1
modules="jansson smartcols libzstd"
if [ "${TOOLS:-yes}" = yes ] && pkg-config --exists $modules; then
    files=$(ls "$top_srcdir"/tools/*.c | grep -v _one)
    tidy -std=gnu11 -D_GNU_SOURCE= -DPKGLIBDIR='""' -I"$top_srcdir" -I"$top_srcdir/tools" \
        $(pkg-config --cflags $modules)
else
    echo "without the tools: their libraries are not here"
fi
cat "$scratch/found"
[ "$status" -eq 0 ] || grep -q 'error:' "$scratch/found" || cat "$scratch/messages"
if [ "$version" != "$made_with" ]; then
    echo "NOTE: .clang-tidy was made with clang-tidy $made_with, this is $version; its findings do not count"
    exit 0
fi
[ "$status" -eq 0 ] || fail "clang-tidy"
echo "clean"
