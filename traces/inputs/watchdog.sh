# SPDX-License-Identifier: MIT
# A supervisor of services on a small device, in simulated time: builtins alone,
# so that everything happens in the one shell. States are kept in variables
# whose names are made up as they are needed.

random_state=42
random() {
    random_state=$(((random_state * 1103515245 + 12345) % 2147483648))
    drawn=$((random_state / 65536 % $1))
}

get() {
    eval "got=\${$1-}"
}

journal=
lines=0
note() {
    journal="$journal$tick $*
"
    lines=$((lines + 1))
    while [ "$lines" -gt 25 ]; do
        journal=${journal#*
}
        lines=$((lines - 1))
    done
}

start() {
    eval "state_$1=running; since_$1=$tick"
    random 5
    [ "$drawn" != 0 ] || eval "options_$1='--verbose --retry $drawn --name=$1.$tick'"
    note "$1: started"
}

fail() {
    get "restarts_$1"
    restarts=$((${got:-0} + 1))
    eval "restarts_$1=$restarts; state_$1=failed"
    get "options_$1"
    note "$1: failed after $restarts restarts, options ${got:-none}"
    unset "options_$1"
}

check() {
    get "state_$1"
    case $got in
    running)
        random 10
        [ "$drawn" != 0 ] || fail "$1"
        ;;
    failed)
        get "restarts_$1"
        if [ "$got" -gt 6 ]; then
            eval "state_$1=given-up"
            note "$1: given up"
        else
            start "$1"
        fi
        ;;
    given-up)
        random 20
        if [ "$drawn" = 0 ]; then
            unset "restarts_$1" "since_$1"
            start "$1"
        fi
        ;;
    *)
        start "$1"
        ;;
    esac
}

services="network clock logger sensor_bus pump_left pump_right display modem update backup"
tick=0
while [ $tick -lt 150 ]; do
    tick=$((tick + 1))
    for service in $services; do
        check "$service"
    done
    if [ $((tick % 50)) = 0 ]; then
        report=
        IFS='
'
        for line in $journal; do
            report="${line%%:*}; $report"
        done
        unset IFS
        echo "$report"
    fi
done
