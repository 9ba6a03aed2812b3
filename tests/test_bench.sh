# SPDX-License-Identifier: MIT
# `defrag-bench replay` and `size`: options, messages, exit statuses, output that cannot be written.
. "${top_srcdir:?}/tests/tool.sh"
cd "$scratch"

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

# --- Workloads -----------------------------------------------------------------

gives 0 adversary robson --most=256 --largest=16
quiet
prints '^robson: at most 8,192 bytes live, 256 units of 32; blocks of up to 16 units$'
prints '^libdefrag  *9,536 1\.164 1\.000 ' # 256 blocks of 32, slots of 4, control of 312
prints '^first-fit  *24,112 2\.943 2\.941 ' # 256 * (1 + 4 / 2) - 16 + 1 units, control of 16
prints "Of libdefrag's heap 320 bytes are control, and 1,024 the handle table"
for name in slide full-slide best-fit tlsf half-fit buddy; do
    prints "^$name "
done
gives 0 adversary all --most=80 --largest=8 --unit=64 --layout=wide --alignment=16 --policy=libdefrag
[ "$(grep -c ': at most 5,120 bytes live' output)" = 4 ] || fail "not all adversaries: $(cat output)"
gives 0 adversary sawtooth sawtooth --policy=libdefrag
[ "$(grep -c '^sawtooth:' output)" = 1 ] || fail "the same adversary twice is not one table"

gives 0 churn uniform --occupancy=90 --operations=5500
quiet
prints '^Pools of 65,536 bytes, 5,500 operations for each of 1 seed;'
for name in libdefrag slide full-slide; do
    prints "^uniform  *90 %  *$name "
done
gives 0 churn all --occupancy=85 --occupancy=95 --operations=2000 --seed=1 --seed=2 --pool=32K --pace=1/4 --policy=libdefrag
[ "$(grep -c '^[a-z]*  *[89]5 % ' output)" = 12 ] || fail "not all workloads: $(cat output)"
prints 'MOVED, BY SEED'
prints '^Up to 1/4 of the bytes asked for are moved in advance'
gives 0 churn uniform --occupancy=95 --operations=3000 --policy=best-fit # who never moves refuses
prints '^uniform  *95 %  *best-fit  *0\.0000  *0  *-  *[1-9]'
gives 0 churn larson --operations=1 --pool=1K
gives 0 churn locked --occupancy=95 --operations=11000 --policy=libdefrag --policy=slide
awk '$1 == "locked" { refused[$4] = $7 } END { exit !(refused["slide"] > refused["libdefrag"]) }' output ||
    fail "refusals among locked blocks: $(cat output)"
"$bench" churn uniform --occupancy=92 --operations=5500 >one
gives 0 churn uniform --occupancy=92 --operations=5500
cmp -s one output || fail "the same workload twice is not the same"
gives 0 churn uniform --occupancy=92 --operations=5500 --seed=7
! cmp -s one output || fail "the seed changes nothing"
gives 0 churn --help
gives 0 adversary --help
prints 'robson, best-fit, shrink'

# --- A number that can be worked out by hand --------------------------------------

# Narrow, alignment 8: 100, 450 and 150 bytes take 13, 57 and 20 granules; before that 13, 26 and 57.
control=$("$bench" size --json empty --policy=libdefrag | sed -n 's/.*"least_control_bytes": \([0-9]*\).*/\1/p')
gives 0 size --json --policy=libdefrag small
prints "\"bytes\": $((control + (13 + 57 + 20) * 8 + 8)),"

# --- Bad input ------------------------------------------------------------------------

refuses 'no command was named; there are record, '
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
refuses "unknown adversary 'robin'" adversary robin
refuses 'no adversary was named' adversary
refuses "unknown workload 'sawtooth'" churn sawtooth
refuses 'no workload was named' churn --json
refuses "unknown workload ''" churn ''
refuses "unknown policy 'slide'" size --policy=slide small
refuses "unknown policy 'slid'.*slide, full-slide" churn --policy=slid uniform
for number in 0 1 abc '' -5 1e3 32767; do
    refuses '--most' adversary --most="$number" robson
    refuses '--largest' adversary --largest="$number" robson
done
for unit in 0 16 33 2048 '' x; do
    refuses '--unit' adversary --unit="$unit" robson
done
refuses 'shrink cannot be played with 100 units live and blocks of up to 64' adversary --most=100 shrink
refuses 'best-fit cannot be played with 400 units live and blocks of up to 5' adversary --largest=5 best-fit
refuses 'more than 64 MiB' adversary --most=32766 --largest=1000 shrink
refuses 'robson: too big.*narrow.*--layout=wide' adversary --unit=1024 robson
gives 0 adversary --unit=1024 --layout=wide --most=600 --largest=4 --policy=libdefrag robson
for percent in 0 101 -1 '' abc; do
    refuses '--occupancy' churn --occupancy="$percent" uniform
done
for seed in 0 4294967296 -1 '' abc; do
    refuses '--seed' churn --seed="$seed" uniform
done
for count in 0 4294967296 '' abc; do
    refuses '--operations' churn --operations="$count" uniform
done
for pace in 0 1/0 0/1 / 1/ /2 1/2/3 1.5 -1 1001 '' abc 1111111111111111111111/2; do
    refuses '--pace' churn --pace="$pace" uniform
done
refuses '--pool' churn --pool=0 uniform
refuses '100 bytes is too small for libdefrag' churn --pool=100 --operations=10 uniform
refuses '--pool=524288 is more than the 524,280 bytes' churn --pool=512K uniform
gives 2 churn --lock-fraction=5 uniform
gives 2 size --no-such-option small
gives 2 size huge
[ "$(wc -l <said)" = 6 ] || fail "a trace that nobody can hold: said $(wc -l <said) lines, not one for each"

# --- Names that hold anything ------------------------------------------------------------

printf 'defrag-trace 1\na 1 10\n' >"$(printf 'a\nb\033[31m')"
refuses 'nowhere?\.: No such file' size "$(printf 'nowhere\n.')"
gives 0 replay "$(printf 'a\nb\033[31m')"
prints '^a?b?\[31m: 1 operation, '
LC_ALL=C.UTF-8
export LC_ALL
cp small 'größe'
gives 0 size --policy=libdefrag 'größe'
prints '^größe  *7 '
LC_ALL=C

# --- Output that cannot be written -------------------------------------------------------

for arguments in 'size small' 'size --json small' 'replay small' 'replay --json small' --help --version 'size --help'; do
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
status=0
(ulimit -f 0 && "$bench" size small) >output 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "a file that may not grow: status $status"
to_nobody "$bench" size small
[ "$status" = 2 ] || fail "a closed pipe: status $status"
[ "$(wc -l <said)" = 1 ] || fail "a closed pipe: said $(cat said)"

# --- Interrupted ------------------------------------------------------------------------------

# While it waits for a trace that nobody writes.
mkfifo never
for arguments in 'size never' 'replay never' 'compare never' 'report -o out never' 'gather never' 'inspect never'; do
    "$bench" $arguments >output 2>said &
    tool=$!
    (exec 3>never && kill -TERM $tool && exec sleep $patience) &
    at_end="kill $!"
    status=0
    wait $tool || status=$?
    $at_end
    [ "$status" = 143 ] || fail "defrag-bench $arguments interrupted: status $status"
    [ "$(cat said)" = 'defrag-bench: interrupted: Terminated' ] || fail "defrag-bench $arguments interrupted: $(cat said)"
done

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
# progresses VERB ARGUMENT...: what would take longer than anyone waits is ended once it has told of it.
progresses() {
    verb=$1
    shift
    "$bench" "$@" --progress >output 2>said &
    until_true $! grep -qs "$verb: 0 of 1 done, [0-9,]* operations" said
    kill $! 2>/dev/null || :
    wait $! || :
}
for i in 1 2 3 4 5 6 7 8 9 10; do
    cat long
done | awk '/^[af]/ { $2 += int((NR - 1) / 39701) * 20000; print; next } NR == 1' >longer
progresses searching size --policy=buddy longer
progresses churning churn uniform --occupancy=90 --operations=4000000000 --policy=libdefrag
