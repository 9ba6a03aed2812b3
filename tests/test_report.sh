# SPDX-License-Identifier: MIT
# `defrag-bench report`: what it writes is whole, well-formed and needs nothing from elsewhere; or nothing is written.
. "${top_srcdir:?}/tests/tool.sh"
cd "$scratch"

# refuses PATTERN ARGUMENT...: status 2, nothing printed, one line said that fits the pattern, nothing left.
refuses() {
    pattern=$1
    shift
    ls -aR >before
    gives 2 report "$@"
    one_line "$pattern" "$@"
    [ ! -s output ] || fail "report $*: printed something"
}

one_line() {
    pattern=$1
    shift
    [ "$(wc -l <said)" = 1 ] || fail "report $*: said $(wc -l <said) lines, not 1: $(cat said)"
    grep -q -- "$pattern" said || fail "report $*: said nothing like '$pattern' but: $(cat said)"
    nothing_left "report $*"
}

nothing_left() {
    ls -aR >after
    cmp -s before after || fail "$1: left something behind: $(diff before after)"
}

awk 'BEGIN {
    print "defrag-trace 1"
    print "# program: a <b> & \"c\""
    print "# input: \377\001"
    for (i = 1; i <= 3000; i++) {
        print "a", i, 8 + i * 7919 % 500
        if (i % 50 == 0)
            print "l", i
        if (i > 120)
            print (i % 50 == 20 && i > 150 ? "u " i - 120 "\nf " : "f ") i - 120
    }
}' >"a'trace"
printf 'defrag-trace 1\na 1 10\n' >one
printf 'defrag-trace 1\n' >empty
printf 'defrag-trace 1\na 1 10\nf 2\n' >malformed
printf 'defrag-trace 1\na 1 600000\n' >big
mkdir full && touch full/other
touch before after output said

# --- Bad input ------------------------------------------------------------------------

refuses 'no trace was named' -o out
refuses 'no folder for the report was named' one
refuses 'no folder for the report was named' -o '' one
refuses "one trace at a time.*'empty'" -o out one empty
refuses 'nowhere: No such file' -o out nowhere
refuses '\.: Is a directory' -o out .
refuses 'malformed:3: ' -o out malformed
refuses 'empty: there are no operations' -o out empty
refuses 'big: too big.*--layout=wide' -o out big
refuses 'no/such: No such file' -o no/such one
refuses 'one: Not a directory' -o one one
refuses 'one/out: Not a directory' -o one/out one
refuses '/dev/full: Not a directory' -o /dev/full one
refuses '100 bytes is too small for libdefrag' -o out --pool=100 one
refuses '--pool=524288 is more than the 524,280 bytes' -o out --pool=512K one
gives 2 report -o out --json one # no such option: argp says more than a line
mkdir without
for program in ls cat timeout wc grep cmp diff; do
    ln -s "$(command -v $program)" without
done
(PATH=$scratch/without && refuses 'gnuplot.*was not found' -o full one) || exit 1

# --- What it is for -------------------------------------------------------------------

command -v gnuplot >/dev/null || skip "there is no gnuplot here, which draws the pictures"
command -v python3 >/dev/null || skip "there is no python3 here, to look at them"

gives 0 report -o "out'1" "a'trace"
grep -qx "out'1/index.html" output || fail "printed: $(cat output)"
[ ! -s said ] || fail "said: $(cat said)"
python3 "$top_srcdir/tests/report.py" files "out'1" || fail "what it wrote"
page="out'1/index.html"
grep -q '<figcaption>Every block of a pool of ' "$page" || fail "the caption of the heap map"
grep -q 'a &lt;b&gt; &amp; "c"' "$page" || fail "metadata are not as they were"
grep -q 'not UTF-8' "$page" || fail "bytes that are no text stand in the page"
for text in libdefrag first-fit best-fit tlsf half-fit buddy 'narrow layout, alignment 8'; do
    grep -q -- "$text" "$page" || fail "nothing of '$text' in the page"
done

# The same again is the same, and over what was there.
cp "$page" first
gives 0 report -o "out'1" "a'trace"
cmp -s first "$page" || fail "the same trace twice is not the same page"
gives 0 report -o full one
[ -f full/other ] && [ -f full/index.html ] || fail "a folder that was there before"
rm -r full
gives 0 report -o out/ -L 10 -l wide -a 16 -b 64K one
grep -q 'wide layout, alignment 16, 10 % of the live blocks' out/index.html || fail "the options are not told"
grep -q 'a pool of 65,536 bytes' out/index.html || fail "not the pool that was asked for"
grep -q '<figcaption>No operation moved anything\.' out/index.html || fail "moves where there are none"
rm -r out
gives 0 report -o out -b 65544 one
grep -q '<figcaption>A pool of 65,544 bytes in parts of 16, each' out/index.html || fail "parts of a pool are told as blocks"
rm -r out

# Figures that `size` tells too; nothing is locked.
grep -av '^[lu]' "a'trace" >plain
gives 0 report -o out plain
"$bench" size --json --policy=libdefrag plain >sizes
bytes=$(sed -n 's/^ *"bytes": \([0-9]*\),/\1/p' sizes | sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta')
grep -q "<td>libdefrag</td><td>$bytes</td>" out/index.html || fail "size says $bytes"
moved=$("$bench" replay --json --policy=libdefrag --pool="$(sed -n \
    's/.*<td>bytes of the pool<\/td><td>\([0-9,]*\)<.*/\1/p' out/index.html | tr -d ,)" plain |
    sed -n 's/^ *"moved_blocks": \([0-9]*\),/\1/p' | sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta')
grep -q "<td>blocks moved</td><td>$moved</td>" out/index.html || fail "replay says that $moved blocks were moved"
rm -r out

# Requests fail: it is all there, and the status and the page say so.
gives 1 report -o out --pool=2K plain
python3 "$top_srcdir/tests/report.py" files out || fail "what it wrote of failures"
grep -q 'class="failed">[0-9,]* requests failed' out/index.html || fail "failures are not told"
rm -r out

# --- Output that cannot be written ------------------------------------------------------

# A file may have a few KiB: too few for the pictures, and, with a gnuplot that draws little, for the page.
ls -aR >before
status=0
(trap '' XFSZ && ulimit -f 16 && "$bench" report -o out one) >output 2>said || status=$?
[ "$status" = 2 ] || fail "files that may not grow: status $status"
one_line 'gnuplot could not draw' -o out one
status=0
(trap '' XFSZ && ulimit -f 8 && "$bench" report -o out plain) >output 2>said || status=$?
[ "$status" = 2 ] || fail "a temporary file that may not grow: status $status"
one_line 'plain: cannot keep it in a temporary file: File too large' -o out plain
mkdir bin
cat >bin/gnuplot <<'END'
#!/bin/sh
sed -n "s/^set output '\(.*\)'$/\1/p" | while read -r file; do printf '<svg\n>\n%02000d</svg>  \n' 0 >"$file"; done
END
chmod +x bin/gnuplot
(PATH=$scratch/bin:$PATH && gives 0 report -o out one) || exit 1
rm -r out
ls -aR >before
status=0
(trap '' XFSZ && ulimit -f 8 && PATH=$scratch/bin:$PATH && "$bench" report -o out one) >output 2>said || status=$?
[ "$status" = 2 ] || fail "a page that may not grow: status $status"
one_line 'index.html: File too large' -o out one

(TMPDIR=$scratch/nowhere && export TMPDIR && refuses 'one: cannot keep it in a temporary file: No such' -o out one) ||
    exit 1

# A gnuplot that dies, and one that says why.
printf '#!/bin/sh\nexit 3\n' >bin/gnuplot
(PATH=$scratch/bin:$PATH && refuses 'gnuplot could not draw' -o out one) || exit 1
printf '#!/bin/sh\ncat >/dev/null\necho "no such terminal" >&2\nexit 1\n' >bin/gnuplot
(PATH=$scratch/bin:$PATH && refuses 'gnuplot could not draw the pictures: no such terminal' -o out one) || exit 1

status=0
"$bench" report -o out one >/dev/full 2>said || status=$?
[ "$status" = 2 ] || fail "standard output to a full disk: status $status"
grep -q 'cannot write the result: No space left' said || fail "full disk: said $(cat said)"
rm -r out
to_nobody "$bench" report -o out one
[ "$status" = 2 ] && [ "$(wc -l <said)" = 1 ] || fail "a closed pipe: status $status: $(cat said)"
rm -r out

# --- Interrupted --------------------------------------------------------------------------

# While gnuplot draws for ever: that goes, too. For all the other moments there is test_interrupted.sh.
printf '#!/bin/sh\necho $$ >%s\nexec cat >/dev/null 3<%s\n' "$scratch/drawing" "$scratch/never" >bin/gnuplot
mkfifo never
: >drawing
ls -aR >before
PATH=$scratch/bin:$PATH "$bench" report -o out one >output 2>said &
pid=$!
until_true $pid [ -s drawing ]
kill -TERM $pid
status=0
wait $pid || status=$?
[ "$status" = 143 ] || fail "interrupted: status $status"
one_line 'interrupted: Terminated' -o out one
! kill -0 "$(cat drawing)" 2>/dev/null || fail "interrupted: left gnuplot behind"
