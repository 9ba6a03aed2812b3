# SPDX-License-Identifier: MIT
# `defrag-bench sweep` and `gather`: each job once, in lines that a shell can run; joined to one table and one picture.
. "${top_srcdir:?}/tests/tool.sh"
cd "$scratch"

awk 'BEGIN {
    print "defrag-trace 1"
    for (i = 1; i <= 400; i++) {
        print "a", i, 8 + i * 7919 % 300
        if (i > 60)
            print "f", i - 60
    }
}' >"a 'trace; & \$HOME"
printf 'defrag-trace 1\na 1 10\n' >-one

# --- Jobs -----------------------------------------------------------------------------

gives 0 sweep -b 10K -b 16K -b 10K -p libdefrag -p tlsf -L 0 -L 5 -L 20 -- "a 'trace; & \$HOME" -one
[ "$(wc -l <output)" = 24 ] || fail "2 traces, 2 pools, 2 policies, 3 lock fractions: $(wc -l <output) jobs"
[ "$(sort -u output | wc -l)" = 24 ] || fail "a job stands twice"
cp output jobs
gives 0 sweep -- -one
[ "$(wc -l <output)" = 6 ] && ! grep -q -- --pool output || fail "not the policies in the pool of replay: $(cat output)"
refuses 'no trace was named' sweep -b 10K
refuses "--pool: 'x'" sweep -b x -- -one
refuses "--lock-fraction: '101'" sweep -L 101 -- -one
refuses "--policy: unknown policy 'worst-fit'" sweep -p worst-fit -- -one
refuses 'no wide layout with alignment 4' sweep -l wide -a 4 -- -one
refuses 'no medium layout' sweep -l medium -- -one
refuses "--alignment: 'x'" sweep -a x -- -one
refuses 'no narrow layout with alignment 2' sweep -a 2 -- -one
refuses 'newline' sweep "$(printf 'a\nb')"

# --- Their results, in whatever order ------------------------------------------------------

mkdir bin
printf '#!/bin/sh\nexec "%s" "$@"\n' "$bench" >bin/defrag-bench
chmod +x bin/defrag-bench
run() {
    (PATH=$scratch/bin:$PATH && sh) || true # 1: requests failed
}
run <jobs >results
awk '{ line[NR] = $0 } END { for (i = NR; i > 0; i--) print line[i] }' jobs | run >reversed
gives 0 gather results
cp output table
[ "$(wc -l <table)" = 25 ] || fail "24 results and a heading: $(cat table)"
gives 0 gather reversed
cmp -s table output || fail "another order gives another table"
"$bench" gather <reversed >output || fail "from standard input"
cmp -s table output || fail "from standard input another table"
head -n 20 jobs | run >first
tail -n 4 jobs | run >rest
gives 0 gather first rest
cmp -s table output || fail "two files give another table"
if command -v parallel >/dev/null; then
    (PATH=$scratch/bin:$PATH PARALLEL_HOME=$scratch/parallel && export PARALLEL_HOME && parallel --will-cite <jobs >parallel-results 2>parallel-said) || true
    gives 0 gather parallel-results
    cmp -s table output || fail "parallel gives another table: $(cat parallel-said)"
else
    echo "there is no parallel here to run the jobs"
fi
grep -q "^-one  *narrow 8  *0 %  *10,240  *libdefrag  *0 " table || fail "a row of the table: $(cat table)"
failed=$("$bench" replay -p tlsf -b 10K --json "a 'trace; & \$HOME" | sed -n 's/.*"failed": \([0-9]*\),/\1/p')
[ "$failed" -gt 0 ] || fail "the pool is not too small for tlsf"
grep -q "^a 'trace; & \$HOME *narrow 8  *5 %  *10,240  *tlsf  *$failed " table || fail "not $failed failures: $(cat table)"

gives 0 gather --json results
if command -v python3 >/dev/null; then
    python3 - output <<'END' || fail "the JSON"
import json, sys
results = json.load(open(sys.argv[1]))
assert len(results) == 24 and all(result["command"] == "replay" for result in results)
END
fi

# --- Bad input ----------------------------------------------------------------------------

: >nothing
printf '{"command": "size"}' >other
head -c 3000 results >cut
sed 's/"damaged": 0/"damaged": 7/' results >damaged
refuses 'there are no results' gather nothing
refuses 'nowhere: No such file' gather results nowhere
refuses '\.: Is a directory' gather .
refuses 'other: result 1 is none of' gather results other
refuses 'cut: result [0-9]*: ' gather cut
# gnuplot would run what a policy's name says, and draw without end what has no size.
sed 's/"policy": "tlsf"/"policy": "x\\n!touch executed\\n"/' results >strange
sed 's/"pool_bytes": /&-/' results >negative
cmp -s results strange || cmp -s results negative && fail "the results have not been changed"
refuses 'strange: result [0-9]* is none of' gather --svg=strange.svg strange
refuses 'negative: result 1 is none of' gather --svg=negative.svg negative
[ ! -e executed ] || fail "a result was executed"
refuses 'jobs: result 1: ' gather jobs
gives 1 gather damaged
grep -q 'damaged a block or was stopped' said || fail "damage is not told: $(cat said)"
[ "$(wc -l <output)" = 25 ] || fail "damage hides the table"
for command in 'sweep -- -one' 'gather results'; do
    status=0
    "$bench" $command >/dev/full 2>said || status=$?
    [ "$status" = 2 ] && grep -q 'cannot write the result: No space' said || fail "$command: a full disk: $(cat said)"
done

# --- The picture -----------------------------------------------------------------------------

command -v gnuplot >/dev/null || skip "there is no gnuplot here, to draw the picture"
command -v python3 >/dev/null || skip "there is no python3 here, to look at the picture"
gives 0 gather --svg=picture.svg results
cmp -s table output || fail "with a picture another table"
python3 "$top_srcdir/tests/report.py" svg picture.svg || fail "the picture"
for text in libdefrag tlsf '0 % locked' '20 % locked' '12 KiB' '16 KiB' 'size of the pool'; do
    grep -q ">$text<" picture.svg || fail "nothing of '$text' in the picture"
done
refuses 'nowhere/picture.svg: No such file' gather --svg=nowhere/picture.svg results
