# SPDX-License-Identifier: MIT
# Sourced by the script tests of defrag-bench, which goes by $bench: its statuses, what it prints and what it says.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}
[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"

# gives STATUS ARGUMENT...: what it prints is in `output`, what it says in `said`.
gives() {
    wanted=$1
    shift
    status=0
    timeout $patience "$bench" "$@" >output 2>said </dev/null || status=$?
    [ "$status" = "$wanted" ] || {
        cat output said >&2
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

# to_nobody COMMAND...: its status is in `status`, what it says in `said`; the reader of what it prints has gone.
to_nobody() {
    rm -f pipe
    mkfifo pipe
    : <pipe &
    exec 3>pipe
    wait $!
    status=0
    "$@" >&3 3>&- 2>said || status=$?
    exec 3>&-
}
