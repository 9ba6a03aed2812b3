# SPDX-License-Identifier: MIT
# `defrag-bench replay` and `size`: options, messages, exit statuses, output that cannot be written.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
cd "$scratch"

# gives STATUS ARGUMENT...: what it prints is in `output`, what it says in `said`.
gives() {
    wanted=$1
    shift
    status=0
    timeout 100 "$bench" "$@" >output 2>said </dev/null || status=$?
    [ "$status" = "$wanted" ] || {
        cat said >&2
        fail "defrag-bench $*: status $status, not $wanted"
    }
}

# refuses PATTERN ARGUMENT...: status 2, nothing printed, one line said that fits the pattern.
refuses() {
    pattern=$1
    shift
    gives 2 "$@"
    [ ! -s output ] || fail "defrag-bench $*: printed something"
    [ "$(wc -l <said)" = 1 ] || fail "defrag-bench $*: said $(wc -l <said) lines, not 1: $(cat said)"
    grep -q -- "$pattern" said || fail "defrag-bench $*: said nothing like '$pattern' but: $(cat said)"
}

prints() {
    grep -q -- "$1" output || fail "printed nothing like '$1' but: $(cat output)"
}

quiet() {
    [ ! -s said ] || fail "said: $(cat said)"
}

cat >small <<'END'
defrag-trace 1
# program: hand
# pointer-bits: 64
a 1 100
a 2 200 64
a 3 300
f 2
r 3 450
a 4 150
f 1
END
printf 'defrag-trace 1\n' >empty
printf 'defrag-trace 1\na 1 10\nf 2\n' >malformed
printf 'defrag-trace 1\na 1 600000\n' >big
printf 'defrag-trace 1\na 1 10' >cut
printf 'defrag-trace 1\na 1 2000\na 2 2000\n' >double
{
    echo 'defrag-trace 1'
    awk 'BEGIN { for (id = 1; id <= 32768; id++) print "a", id, 1 }'
} >handles
printf 'defrag-trace 1\na 1 281474976710655\na 2 281474976710655\n' >huge

# --- What it is for -----------------------------------------------------------

gives 0 size small
quiet
for text in libdefrag first-fit best-fit tlsf half-fit buddy 'narrow layout, alignment 8' \
    'pointers have 64 bits.*: small\.' 'small (1 of more than 8)'; do
    prints "$text"
done
gives 0 size small empty
prints '^geometric mean'
prints '^  *-  *-  *-  *-  *-  *-$' # there is no ratio to a payload of nothing
gives 0 size --policy=libdefrag small double
awk '/^ +[0-9]+\.[0-9]+$/ { product = product ? product * $1 : $1 }
     /^geometric mean/ { mean = $3 }
     END { exit !(mean > 0 && product - mean * mean < 0.01 && mean * mean - product < 0.01) }' output ||
    fail "the geometric mean is not that of the ratios: $(cat output)"
prints 'PER BYTE'
gives 0 size --policy=tlsf small
! grep -q 'PER BYTE' output || fail "tells what a policy moves that never does"
gives 0 replay small
quiet
prints '^libdefrag  *0 '
prints 'small: 7 operations, peak payload 700 bytes'
gives 0 replay --check --lock-fraction=50 --policy=libdefrag --policy=libdefrag small
[ "$(grep -c '^libdefrag  *0 ' output)" = 1 ] || fail "the same policy twice is not one row"
gives 0 replay --check=3 --manual --layout=wide --alignment=16 small
prints 'wide layout, alignment 16, DEFRAG_MANUAL'
gives 0 replay empty
gives 0 replay --pool=1M --policy=tlsf small
gives 0 size --layout=wide big
gives 1 replay --pool=700 --policy=first-fit small
prints 'first-fit: the first failure, in line 9: no block large enough; 0 later operations were skipped'
gives 0 --version
prints '^defrag-bench [0-9]'
gives 0 --help
gives 0 size --help
prints 'Exit status'
gives 0 replay --help
gives 0 replay --version

# --- A number that can be worked out by hand --------------------------------------

# Narrow, alignment 8: 100, 450 and 150 bytes take 13, 57 and 20 granules; before that 13, 26 and 57.
control=$("$bench" size --json empty --policy=libdefrag | sed -n 's/.*"least_control_bytes": \([0-9]*\).*/\1/p')
gives 0 size --json --policy=libdefrag small
prints "\"bytes\": $((control + (13 + 57 + 20) * 8 + 8)),"

# --- Bad input ------------------------------------------------------------------------

refuses 'which command'
refuses "unknown command 'sise'" sise small
refuses 'no trace was named' size
refuses 'no trace was named' replay --json
refuses "one trace at a time.*'empty'" replay small empty
refuses 'nowhere: No such file' size small nowhere
refuses 'nowhere: No such file' replay nowhere
refuses '\.: Is a directory' size .
refuses 'malformed:3: ' size malformed
refuses 'malformed:3: ' replay malformed
refuses 'cut:2: \|cut: ' size cut
for pool in abc '' -1 +1 0 1.5 12x 1KK 1G 4294967296 99999999999999999999 18446744073709551616K 0x10 ' 1'; do
    refuses '--pool' replay --pool="$pool" small
done
for percent in 101 -1 abc '' 1e1 99999999999999999999; do
    refuses '--lock-fraction' size --lock-fraction="$percent" small
done
for alignment in 0 2 8x 32 '' -8; do
    refuses '--alignment' size --alignment="$alignment" small
done
for every in 0 abc -1 4294967296; do
    refuses '--check' replay --check="$every" small
done
refuses "--policy: unknown policy 'worst-fit'" size --policy=worst-fit small
refuses "--layout: 'medium'" size --layout=medium small
refuses 'no wide layout with alignment 4' replay --layout=wide --alignment=4 small
refuses '100 bytes is too small for libdefrag' replay --pool=100 small
refuses '--pool=524288 is more than the 524,280 bytes' replay --pool=512K small
refuses 'big: too big.*narrow.*--layout=wide' replay big
refuses 'big: too big.*65,535 granules of 8 bytes.*--layout=wide' size --policy=libdefrag big
refuses 'handles: too big: 32,768 blocks are live at once.*handles for 32,767.*--layout=wide' size handles
gives 0 size --layout=wide --policy=libdefrag handles
refuses 'huge: too big' size --policy=tlsf huge
refuses 'huge: too big' replay huge
gives 2 size --no-such-option small
gives 2 size huge
[ "$(wc -l <said)" = 6 ] || fail "a trace that nobody can hold: said $(wc -l <said) lines, not one for each"

# --- Output that cannot be written -------------------------------------------------------

for arguments in 'size small' 'size --json small' 'replay small' 'replay --json small'; do
    status=0
    "$bench" $arguments >/dev/full 2>said || status=$?
    [ "$status" = 2 ] || fail "defrag-bench $arguments to a full disk: status $status"
    grep -q 'cannot write the result: No space left' said || fail "full disk: said $(cat said)"
    status=0
    "$bench" $arguments >&- 2>said || status=$?
    [ "$status" = 2 ] || fail "defrag-bench $arguments to nowhere: status $status"
    { "$bench" $arguments 2>said || echo $? >status; } | true
    # A reader who is gone before anything is written is noticed; one who is not yet gone is no error.
    [ ! -s said ] || grep -q 'cannot write the result: Broken pipe' said || fail "closed pipe: said $(cat said)"
done
{
    sleep 1
    "$bench" size small 2>said || echo $? >status
} | true
[ "$(cat status)" = 2 ] || fail "a closed pipe: status $(cat status)"
[ "$(wc -l <said)" = 1 ] || fail "a closed pipe: said $(cat said)"

# --- Progress ---------------------------------------------------------------------------------

awk 'BEGIN {
    print "defrag-trace 1"
    for (i = 1; i <= 20000; i++) {
        print "a", i, 8 + i * 7919 % 500
        if (i > 300)
            print "f", i - 300
    }
}' >long
gives 0 size --policy=buddy long
quiet
gives 0 size --policy=buddy --progress long
grep -q 'searching: 0 of 1 done, [0-9,]* operations replayed' said || fail "no progress: $(cat said)"
