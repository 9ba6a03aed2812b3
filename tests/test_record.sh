# SPDX-License-Identifier: MIT
# `defrag-bench record` notes exactly what programs do, however they work and end.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"

mkdir "$scratch/tmp"
export TMPDIR="$scratch/tmp"
cd "$scratch"

# built NAME FLAG...: the program tests/record/NAME.c.
built() {
    name=$1
    shift
    quietly $CC -O1 -o "$name" "$top_srcdir/tests/record/$name.c" "$@"
}

# record STATUS PROGRAM...: the trace `trace`, what is said in `said`, what the program says in `output`.
record() {
    wanted=$1
    shift
    rm -f trace
    status=0
    timeout $patience "$bench" record -o trace -- "$@" >output 2>said || status=$?
    [ "$status" = "$wanted" ] || {
        cat said >&2
        fail "record $*: status $status, not $wanted"
    }
    [ -z "$(ls tmp)" ] || fail "record $*: left $(ls tmp) in TMPDIR"
    [ "$wanted" = 0 ] || [ -z "$(ls | grep '^trace')" ] || fail "record $*: left $(ls | grep '^trace')"
}

operations() {
    sed -n '2,${/^#/!p}' trace
}

# operations_are NAME: those of the trace are the ones on standard input.
operations_are() {
    cat >wanted
    operations >got
    diff wanted got >&2 || fail "$1: other operations than expected (< expected, > recorded)"
    counted unknown-frees 0
    counted unknown-resizes 0
    counted unseen-frees 0
}

# counted KEY NUMBER: what the head of the trace says.
counted() {
    grep -qx "# $1: $2" trace || fail "not '$1: $2' but '$(grep "^# $1:" trace)'"
}

says() {
    grep -q "$1" said || fail "said nothing like '$1' but: $(cat said)"
}

# --- Every function of the family ---------------------------------------------

built family
record 0 ./family
page=$(getconf PAGESIZE)
operations_are family <<END
a 1 100
a 2 150
a 3 0
f 1
f 2
f 3
a 4 10
r 4 100000
r 4 20
r 4 30
f 4
a 5 21
f 5
a 6 1000 64
f 6
a 7 320 32
f 7
a 8 129 128
f 8
a 9 10 $page
f 9
a 10 $page $page
f 10
a 11 30 256
r 11 60
f 11
END
for line in 'program: family' 'image: family' "pointer-bits: $(getconf LONG_BIT)" 'operations: 26' \
    'peak-payload: 100000'; do
    grep -qx "# $line" trace || fail "the head of the trace lacks '$line'"
done
[ "$(sed 1q trace)" = 'defrag-trace 1' ] || fail "first line: $(sed 1q trace)"

# --- Every way to end -----------------------------------------------------------

ends='a 1 11
a 2 22
a 3 33
f 2'
built ends
for end in exit _exit abort kill fault; do
    record 0 ./ends $end
    echo "$ends" | operations_are "$end"
done
record 0 ./ends abort
says 'killed by signal 6'
record 0 ./ends kill
says 'killed by signal 9'
record 0 ./ends _exit
says 'ended with status 3'

# A request to end that reaches `record` alone goes on to the program.
mkfifo ready
"$bench" record -o trace -- ./ends wait >ready 2>said &
read -r word <ready
[ "$word" = ready ] || fail "the program did not start"
kill -TERM $!
wait $! || fail "record did not outlive SIGTERM"
echo "$ends" | operations_are SIGTERM
says 'killed by signal 15'

# --- Children ---------------------------------------------------------------------

children() {
    awk -v vfork="$1" 'BEGIN {
        for (i = 1; i <= 10; i++) print "a", i, i
        if (vfork) { print "a 11 99"; print "f 11"; n = 1 }
        for (i = 11; i <= 20; i++) print "a", i + n, i
        for (i = 1; i <= 20; i++) print "f", (i > 10 ? i + n : i)
    }'
}

built children
for how in fork clone spawn; do
    record 0 ./children $how
    children 0 | operations_are "$how"
done
record 0 ./children vfork
children 1 | operations_are vfork

built exec
record 0 ./exec
printf 'a %s 222\n' 1 2 3 | operations_are exec
record 0 sh -c 'exec ./ends exit'
echo "$ends" | operations_are 'exec from a shell'
counted image ends

# --- Threads ------------------------------------------------------------------------

# An order that cannot have been shows as a free of an unknown address or as an
# address given out twice; libc's own objects for threads are of other sizes.
threads_are_whole() {
    operations >got
    awk '$1 == "a" && $3 >= 1000 && $3 < 2000 { mine[$2] = 1; allocated++ }
        $1 == "a" && $3 >= 5000 { print "a child is in the trace"; exit }
        $1 == "r" && !mine[$2] { print "resize of what was not allocated"; exit }
        $1 == "f" && mine[$2] { delete mine[$2]; freed++ }
        END { print allocated + 0, freed + 0 }' got >sums
    [ "$(cat sums)" = '160000 160000' ] || fail "$1: not 160000 objects allocated and freed: $(cat sums)"
    counted unknown-frees 0
    counted unknown-resizes 0
    counted unseen-frees 0
}

built threads -pthread
record 0 ./threads
threads_are_whole threads
record 0 ./threads children
threads_are_whole 'threads and children'

# --- Look-up that allocates -------------------------------------------------------

built lookup -rdynamic -ldl
record 0 ./lookup
printf '%s\n' 'a 1 123' 'r 1 456' 'f 1' | operations_are lookup

# --- A long log, in a program that closes all files ---------------------------------

built many
record 0 ./many
counted operations 1200000
counted peak-payload 24
[ "$(operations | tail -n 1)" = 'f 600000' ] || fail "many: ends in $(operations | tail -n 1)"

# --- Compressed, with comments --------------------------------------------------------

"$bench" record -o packed.zst -c 'version: 1.2' -c 'input: a: b' -- ./family 2>said || fail "packed.zst"
[ "$(od -An -tx1 -N4 packed.zst)" = ' 28 b5 2f fd' ] || fail "packed.zst is not compressed"
"$bench" record -o trace -c 'version: 1.2' -c 'input: a: b' -- ./family 2>said
grep -qx '# version: 1.2' trace && grep -qx '# input: a: b' trace || fail "comments are missing"

# --- What cannot be recorded ---------------------------------------------------------

record 127 ./no-such-program
says 'no-such-program: No such file or directory'
: >not-a-program
record 126 ./not-a-program
says 'not-a-program: Permission denied'
built nothing
record 1 ./nothing
says 'nothing recorded: it allocates nothing'
quietly $CC -static -o static "$top_srcdir/tests/record/ends.c"
record 1 ./static
says 'nothing recorded: it did not load the recorder'
built cramped
record 1 ./cramped ./ends _exit
says 'ended with status 3'
says 'recording of ends stopped early.*memory'

failing() {
    wanted=$1
    shift
    status=0
    "$@" >output 2>said || status=$?
    [ "$status" = "$wanted" ] || fail "$*: status $status, not $wanted"
    [ -z "$(ls tmp)" ] || fail "$*: left $(ls tmp) in TMPDIR"
}

failing 1 "$bench" record -o /dev/full -- ./family
says '/dev/full: No space left on device'
failing 1 "$bench" record -o no/such/folder -- ./family
says 'no/such/folder: No such file or directory'
failing 1 sh -c 'ulimit -f 8; exec "$0" record -o trace.big -- ./family' "$bench"
says 'stopped early.*File too large'
[ ! -e trace.big ] || fail "a trace was written of a recording that stopped early"
failing 2 "$bench" record -- ./family
says 'no file for the trace'
failing 2 "$bench" record -o trace
says 'no program'
failing 2 "$bench" record -o trace -c nonsense -- ./family
says 'KEY: VALUE'
failing 1 env DEFRAG_RECORDER=/no/such/recorder "$bench" record -o trace -- ./family
says 'cannot find the recorder: /no/such/recorder'
failing 1 env TMPDIR=/no/such/folder "$bench" record -o trace -- ./family
says '/no/such/folder: No such file or directory'
