# SPDX-License-Identifier: MIT
# The page of `defrag-bench report` in a browser: it shows something, and a phone need not scroll sideways.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
command -v gnuplot >/dev/null || skip "there is no gnuplot here, which draws the pictures"
command -v python3 >/dev/null || skip "there is no python3 here, to look at them"
command -v chromium >/dev/null || skip "no chromium here; on Debian: apt-get install chromium; test_report.sh looks at the files alone"
cd "$scratch"

# browse ARGUMENT...: standard output is in `output`. It makes a socket among its temporary files, which has room for
# a short path only.
browse() {
    HOME=$scratch TMPDIR=. timeout $patience chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$scratch/profile" \
        "$@" >output 2>said </dev/null || fail "chromium $*: $(tail -3 said)"
}

"$bench" report -o report "$top_srcdir/traces/tidy-plant.zst" >/dev/null || fail "report"

browse --window-size=1200,2600 --screenshot="$scratch/desk.png" "file://$scratch/report/index.html"
python3 "$top_srcdir/tests/report.py" shown desk.png || fail "the page on a desk"

python3 "$top_srcdir/tests/report.py" probe report/index.html frame.html
browse --virtual-time-budget=10000 --dump-dom "file://$scratch/frame.html"
set -- $(sed -n 's/.*<title>wide \([0-9 ]*\)<\/title>.*/\1/p' output)
[ $# = 3 ] || fail "the page says nothing of its width"
[ "$1" -le 390 ] || fail "the page is $1 pixels wide on a screen of 390"
[ "$2" -gt 3000 ] || fail "the page is $2 pixels high, which is too little for what should be in it"
[ "$3" = 6 ] || fail "$3 pictures are shown, not 6"
browse --window-size=500,3000 --screenshot="$scratch/phone.png" "file://$scratch/frame.html"
python3 "$top_srcdir/tests/report.py" shown phone.png || fail "the page on a phone"
