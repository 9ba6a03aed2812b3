# SPDX-License-Identifier: MIT
# `defrag-bench watch` in a terminal of 80x24, and what it says where there is none.
. "${top_srcdir:?}/tests/tool.sh"
command -v tmux >/dev/null || skip "no tmux here, which is the terminal; on Debian: apt-get install tmux"
cd "$scratch"

# --- Without a terminal ----------------------------------------------------------------

printf 'defrag-trace 1\n' >empty
printf 'defrag-trace 1\na 1 100\n' >one

refuses 'standard input is none' watch one
refuses 'no operation to watch' watch empty
refuses 'no such file\|No such file' watch missing
refuses 'no trace was named' watch
refuses 'one trace at a time' watch one empty
refuses 'at' watch --at=x one
refuses 'at' watch --at=0 one
refuses 'pool' watch --pool=2G one

# --- In one ------------------------------------------------------------------------------

# Blocks of 1,000 bytes, every other one freed, then one that fits only after moves, and one that never fits.
awk 'BEGIN {
    print "defrag-trace 1"
    for (i = 1; i <= 60; i++) print "a", i, 1000
    for (i = 1; i <= 60; i += 2) print "f", i
    print "a 61 20000"
    print "a 62 60000"
    print "f 61"
}' >comb

# A server that was told to go may still be there for a moment, so each terminal has its own.
terminals=0
tmux_do() {
    TMUX= tmux -S "$scratch/terminal$terminals" -f /dev/null "$@"
}
trap 'tmux_do kill-server 2>/dev/null || :; rm -rf "$scratch"' EXIT

# opens COLUMNS LINES ARGUMENT...: the shell outlives an interruption and tells the exit status.
opens() {
    columns=$1 lines=$2
    shift 2
    tmux_do new-session -d -x "$columns" -y "$lines" "trap : INT; TERM=screen '$bench' watch $*; echo status \$?; sleep 600"
}
closes() {
    tmux_do kill-server
    terminals=$((terminals + 1))
}
press() {
    tmux_do send-keys "$@"
}

# shows PATTERN: waits until the screen has it; a busy machine may take its time.
shows() {
    tries=0
    until tmux_do capture-pane -p >screen 2>/dev/null && grep -q -- "$1" screen; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { cat screen >&2; fail "the screen never shows '$1'"; }
        sleep 0.1
    done
}

opens 80 24 --pool=64K comb
shows '^comb, narrow, alignment 8, pool of 65,536 bytes'
shows '] 1 of 93, stands still$'
shows '^line 2: alloc object 0, 1,000 bytes$'
shows '^live 1,008 in 1 block, 0 locked; free '
shows '^          0 @@*++*\.\.*$'
shows 'q quit$'
[ "$(wc -l <screen)" -le 24 ] || fail "more than 24 lines"
[ "$(awk 'length > 80' screen)" = '' ] || fail "a line is longer than 80 columns: $(cat screen)"
press n
shows '] 2 of 93'
press Right
shows '^live 3,024 in 3 blocks'
press Left
shows '] 2 of 93'
press p p p
shows '] 1 of 93'
press '>'
shows '] 93 of 93, stands still$'
shows 'refused 1$'
press Home
shows '] 1 of 93'
press m
shows '] 91 of 93'
shows '^line 92: alloc object 60, 20,000 bytes: [0-9,]* bytes moved$'
press n
shows '^line 93: alloc object 61, 60,000 bytes: refused, NO_MEMORY$'
press g 7x5 BSpace 0
shows '^go to operation: 70_'
press Escape
shows 'q quit$'
press g 9 0 Enter
shows '] 90 of 93'
press b
shows '] 89 of 93'
press PageDown
shows '] 90 of 93'
press '<'
shows '] 1 of 93'
press - Space
shows 'plays, 1 a frame$'
shows '] 93 of 93, stands still$'
press +
tmux_do resize-window -x 60 -y 14
shows '^\[#*\] 93 of 93'
tmux_do resize-window -x 30 -y 5
shows 'too small a terminal'
tmux_do resize-window -x 100 -y 30
shows 'q quit$'
press q
shows '^status 0$'
closes

opens 80 24 --at=60 --lock-fraction=50 --layout=wide comb
shows '] 60 of 93'
shows '^comb, wide'
shows '^line 61: .*$'
shows ' 30 locked;'
shows 'L'
press C-c
shows '^defrag-bench: interrupted: Interrupt$'
shows '^status 130$'
closes

opens 80 24 "--pool=100 comb 2>said"
shows '^status 2$'
grep -q 'too small for libdefrag itself' said || fail "said: $(cat said)"
closes

tmux_do new-session -d "TERM=nosuch '$bench' watch one 2>said; echo status \$?; sleep 600"
shows '^status 2$'
grep -q 'TERM=nosuch: no such terminal' said || fail "said: $(cat said)"
closes
