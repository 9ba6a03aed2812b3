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

# Longer than a busy machine can stand still while it plays.
awk 'BEGIN {
    print "defrag-trace 1"
    for (i = 1; i <= 100000; i++)
        print "a", i, "10\nf", i
}' >endless

# A server that was told to go may still be there for a moment, so each terminal has its own. The path is short:
# there is not much room for that of a socket.
terminals=0
tmux_do() {
    TMUX= SHELL=/bin/sh tmux -S "terminal$terminals" -f /dev/null "$@"
}
at_end='tmux_do kill-server'

# opens COLUMNS LINES ARGUMENT...: the shell outlives an interruption and tells the exit status.
opens() {
    columns=$1 lines=$2
    shift 2
    tmux_do new-session -d -x "$columns" -y "$lines" "trap : INT; TERM=screen '$bench' watch $*; echo status \$?; sleep $patience"
}
closes() {
    tmux_do kill-server
    terminals=$((terminals + 1))
}
press() {
    tmux_do send-keys "$@"
}

# shows PATTERN: waits until the screen has it.
shows() {
    tries=0
    while
        tmux_do capture-pane -p >screen || fail "the terminal has gone before it shows '$1'"
        ! grep -q -- "$1" screen
    do
        ! grep '^status' screen || fail "it has ended, and the screen does not show '$1'"
        tries=$((tries + 1))
        [ "$tries" -lt $((patience * 10)) ] || { cat screen >&2; fail "the screen never shows '$1'"; }
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

opens 80 24 --pool=64K endless
press - Space
shows 'plays, 1 a frame$'
press + + +
shows 'plays, 1,*000 a frame$'
press Space
shows '[0-9] of 200,000, stands still$'
! grep -q '] 200,000 of' screen || fail "it does not stand still at once"
press + + Space
shows '] 200,000 of 200,000, stands still$'
press q
shows '^status 0$'
closes

opens 80 24 "--pool=100 comb 2>said"
shows '^status 2$'
grep -q 'too small for libdefrag itself' said || fail "said: $(cat said)"
closes

tmux_do new-session -d "TERM=nosuch '$bench' watch one 2>said; echo status \$?; sleep $patience"
shows '^status 2$'
grep -q 'TERM=nosuch: no such terminal' said || fail "said: $(cat said)"
closes
