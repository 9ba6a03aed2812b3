# SPDX-License-Identifier: MIT
# defrag-bench interrupted right after the n-th call that makes, renames or removes
# a file, n = 1, 2, 3 ... until a run has no such call left: what it was to write
# is there and whole, or nothing is, and no process and no temporary file is left.
. "${top_srcdir:?}/tests/tool.sh"
cd "$scratch"
gcc -O1 -shared -fPIC -o interrupt.so "$top_srcdir/tests/interrupt.c" 2>said || skip "cannot build a module to preload"
command -v gnuplot >/dev/null || skip "there is no gnuplot here, which draws the pictures"
command -v python3 >/dev/null || skip "there is no python3 here, to look at them"

printf 'defrag-trace 1\na 1 10\na 2 20\nf 1\n' >one
printf '$b00,1,20*94\n$a01,20000164,64*ac\n$f02,20000164*b6\n' >stream
gcc -DDEFRAG_BUILDING -I"$lib" -o device "$top_srcdir/tests/device/device.c" $(lib_c_files) && ./device image ||
    fail "device.c"
printf '#include <stdlib.h>\nint main(void) { void *volatile block = malloc(10); free(block); return 0; }\n' >program.c
gcc -o program program.c || fail "program.c"
"$bench" replay --json -p libdefrag --pool=4K one >result || fail "replay --json"

# What gnuplot draws is the same each time: it draws once, and this one process writes it again.
gnuplot=$(command -v gnuplot)
mkdir bin
cat >bin/gnuplot <<END
#!$(command -v python3) -IS
import os, re, shutil, subprocess, sys
if not os.path.isdir("$scratch/drawn"):
    script = sys.stdin.read()
    subprocess.run(["$gnuplot", "-d", "-"], input=script, text=True, check=True)
    os.mkdir("$scratch/drawn")
    for file in re.findall("^set output '(.*)'$", script, re.M):
        shutil.copy(file, "$scratch/drawn")
for line in sys.stdin:
    output = re.match("set output '(.*)'$", line)
    if output:
        shutil.copyfile("$scratch/drawn/" + os.path.basename(output[1]), output[1])
END
chmod +x bin/gnuplot
PATH=$scratch/bin:$PATH
mkdir temporary
TMPDIR=$scratch/temporary
export TMPDIR
runs=0

# What there is in `out` is whole.
judge() {
    case $status in
    0 | 143) ;;
    *) fail "defrag-bench $*, call $n: status $status: $(cat said)" ;;
    esac
    [ "$status" != 0 ] || [ -e out ] || [ -e out.svg ] || fail "defrag-bench $*, call $n: nothing is there"
    [ ! -d out ] || python3 "$top_srcdir/tests/report.py" files out || fail "defrag-bench $*, call $n"
    [ ! -f out ] || cmp out wanted || fail "defrag-bench $*, call $n"
    [ ! -f out.svg ] || python3 "$top_srcdir/tests/report.py" svg out.svg || fail "defrag-bench $*, call $n"
    [ -z "$(ls -A temporary)" ] || fail "defrag-bench $*, call $n: left $(ls -A temporary)"
    for left in out.* out/.report*; do
        [ ! -e "$left" ] || [ "$left" = out.svg ] || fail "defrag-bench $*, call $n: left $left"
    done
}

# each ARGUMENT...: interrupted everywhere. It writes `out`, a file or a folder, or `out.svg`.
each() {
    rm -rf out out.svg drawn
    (LD_PRELOAD=$scratch/interrupt.so && export LD_PRELOAD && gives 0 "$@") || exit 1
    [ ! -f out ] || mv out wanted
    n=1
    while :; do
        rm -rf out out.svg mark
        status=0
        INTERRUPT_AT=$n INTERRUPT_MARK=$scratch/mark LD_PRELOAD=$scratch/interrupt.so \
            timeout $patience "$bench" "$@" >output 2>said </dev/null || status=$?
        [ -e mark ] || break
        judge "$@"
        runs=$((runs + 1))
        n=$((n + 1))
    done
    [ "$n" -gt 2 ] || fail "defrag-bench $*: interrupted nowhere"
    echo "$((n - 1)) calls: $*"
}

each record -o out --from-device=stream
each record -o out -- ./program
each inspect --svg=out.svg image
each gather --svg=out.svg result
each report -o out one
echo "$runs runs"
