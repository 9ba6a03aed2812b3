# SPDX-License-Identifier: MIT
# defrag-bench with every n-th allocation failing in turn, n = 1, 2, 3 ... until a
# run has none left to fail: once alone, once with all that follow. Each run
# either ends with an exit status that is not 0, a line that says why, and no
# file; or does not need that memory and gives just what it gives otherwise.
# Not --help: the C library's argp asserts there that it gets memory.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
cd "$scratch"
# Whatever the tool itself was compiled for: a sanitizer's allocator cannot be interposed.
gcc -O1 -shared -fPIC -o fail.so "$top_srcdir/tests/fail_alloc.c" 2>said || skip "cannot build a module to preload"
printf '#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n' >program.c
gcc -o program program.c || skip "no gcc here"

{
    printf 'defrag-trace 1\n# program: hand\n# pointer-bits: 64\n'
    printf 'a 1 100\na 2 200 64\na 3 300\nf 2\nr 3 450\na 4 150\nf 1\n'
} >small
cp small other
gcc -DDEFRAG_BUILDING -I"$lib" -o device "$top_srcdir/tests/device/device.c" $(lib_c_files) && ./device image ||
    fail "device.c"
printf '$b00,1,20*94\n$a01,20000164,64*ac\n$f02,20000164*b6\n' >stream

mkdir log
TMPDIR=$scratch/log
export TMPDIR
runs=0

# The run that has just ended was wrong.
bad() {
    echo "status $status; said:" >&2
    cat said >&2
    fail "defrag-bench $run, allocation $n failing${FAIL_ON+ with all that follow}: $*"
}

# The run had a failure: it said so in one line and left nothing behind, or gave all the same.
judge() {
    if [ "$status" = 0 ]; then
        cmp -s output wanted || bad "another result"
        [ ! -e wanted-file ] || cmp -s file* wanted-file || bad "another output file"
        return
    fi
    [ "$status" -ne 124 ] || bad "hangs"
    [ "$status" -lt 128 ] || bad "died of a signal"
    [ "$(wc -l <said)" = 1 ] || bad "did not say one line"
    grep -qi memory said || bad "does not say why"
    [ -z "$(find . -name 'file*')" ] || bad "left a file behind"
    [ -z "$(ls log)" ] || bad "left its log behind"
}

# each ARGUMENT...: with every allocation of it failing in turn. It may write `file`.
each() {
    run=$*
    rm -f file* wanted-file
    LD_PRELOAD=$scratch/fail.so "$bench" "$@" >wanted 2>said </dev/null || fail "defrag-bench $*: $(cat said)"
    for written in file*; do
        [ ! -e "$written" ] || mv "$written" wanted-file
    done
    n=1
    while :; do
        rm -f mark file*
        status=0
        FAIL_AT=$n FAIL_MARK=$scratch/mark LD_PRELOAD=$scratch/fail.so \
            timeout $patience "$bench" "$@" >output 2>said </dev/null || status=$?
        runs=$((runs + 1))
        [ -e mark ] || break
        judge
        n=$((n + 1))
    done
    [ "$n" -gt 3 ] || fail "defrag-bench $*: $((n - 1)) allocations failed, hardly all there are"
    echo "$((n - 1)) allocations: $*"
}

all() {
    each replay -p libdefrag -p tlsf small
    each replay --json -p libdefrag -p buddy --lock-fraction=20 small
    each size -p first-fit small other
    each size --json -p libdefrag small
    each adversary --most=16 --largest=4 -p libdefrag -p tlsf shrink
    each churn --json --operations=300 --occupancy=95 --pool=16K -p slide locked
    each record -o file -- ./program
    each record -o file.zst -- ./program
    each record -o file --from-device=stream
    each inspect --json image
}

all
FAIL_ON=1
export FAIL_ON
all
echo "$runs runs"
