# SPDX-License-Identifier: MIT
# gcc -fanalyzer finds nothing: lib/ in all five builds, plain and hardened, and tools/.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=.}"
. "$top_srcdir/tests/package.sh"
gcc -fanalyzer -E - </dev/null >/dev/null 2>&1 || skip "no gcc here that knows -fanalyzer"
cd "$scratch"
[ "$(echo __GNUC__ | gcc -E -P -)" = 12 ] ||
    echo "NOTE: made clean with gcc 12; another version may see more, or less"

# It sees what it should: a leak, and a use after free.
cat >wrong.c <<'END'
#include <stdlib.h>
int leak(int n);
int leak(int n)
{
    int *p = malloc(sizeof *p);
    if (!p || n)
        return 1;
    free(p);
    return *p;
}
END
gcc -O2 -fanalyzer -S wrong.c 2>wrong.out
grep -q analyzer-malloc-leak wrong.out && grep -q analyzer-use-after-free wrong.out ||
    fail "it does not see a leak and a use after free"

analyze() {
    for file in $files; do
        gcc -O2 -fanalyzer -Werror "$@" -I"$lib" -S -o analyzed.s "$file" || fail "$* $file"
        analyzed=$((analyzed + 1))
    done
}

analyze_build() {
    analyze -std=c11 $2
    analyze -std=c11 $2 -DDEFRAG_DEBUG=1 -DDEFRAG_HARDENING=1
}

analyzed=0
files=$(lib_c_files)
for_each_build analyze_build
modules="jansson smartcols libzstd"
if [ "${TOOLS:-yes}" = yes ] && pkg-config --exists $modules; then
    files=$(ls "$top_srcdir"/tools/*.c | grep -v _one)
    analyze -std=gnu11 -D_GNU_SOURCE= -DPKGLIBDIR='""' -I"$top_srcdir" -I"$top_srcdir/tools" \
        $(pkg-config --cflags $modules)
else
    echo "without the tools: their libraries are not here"
fi
echo "$analyzed files analyzed"
