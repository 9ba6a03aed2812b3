#!/bin/sh
# SPDX-License-Identifier: MIT
# Records the bundled traces afresh and brings the table in README.md up to date.
#
#   traces/record.sh DEFRAG-BENCH [TRACE...]   all traces, or those named
#   traces/record.sh --packages                the Debian packages that are needed
#
# The inputs are in traces/inputs. The programs run there, in a copy of that
# folder, so that no path of this machine gets into a trace.
set -eu

packages="bc dash duktape ed jshon lua5.4 original-awk sqlite3 tidy zstd"
traces="awk-gateway bc-orbit dash-watchdog duktape-menu ed-station jshon-devices lua-controller
    lua-telemetry sqlite-logbook tidy-plant"

die() {
    echo "record.sh: $*" >&2
    exit 1
}

case ${1-} in
--packages)
    echo "$packages"
    exit 0
    ;;
'' | -*)
    echo "usage: traces/record.sh DEFRAG-BENCH [TRACE...] | --packages" >&2
    exit 2
    ;;
esac

bench=$(realpath "$1") && [ -x "$bench" ] || die "$1: no such program"
shift
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
cp "$here"/inputs/* "$scratch"
cd "$scratch"
LC_ALL=C.UTF-8
export LC_ALL

version() {
    dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown
}

# record NAME PACKAGE INPUTS PROGRAM...: the trace NAME of a program of that package.
record() {
    name=$1 package=$2 inputs=$3
    shift 3
    command -v "$1" >/dev/null || die "there is no $1; the Debian packages needed are: $packages"
    "$bench" record -o "$here/$name.zst" -c "version: $(version "$package")" -c "package: $package" \
        -c "input: $inputs" -- "$@" >"$name.output"
}

record_awk_gateway() {
    record awk-gateway original-awk 'gateway.awk gateway.txt' original-awk -f gateway.awk gateway.txt
}

record_bc_orbit() {
    record bc-orbit bc orbit.bc bc -q orbit.bc </dev/null
}

record_dash_watchdog() {
    record dash-watchdog dash watchdog.sh dash watchdog.sh
}

record_duktape_menu() {
    record duktape-menu duktape menu.js duk menu.js
}

record_ed_station() {
    record ed-station ed 'gateway.txt station.ed' ed -s gateway.txt <station.ed
}

record_jshon_devices() {
    record jshon-devices jshon devices.json \
        jshon -e devices -a -e id -u -p -e channels -l -p -e tags -a -u -p <devices.json
}

record_lua_controller() {
    record lua-controller lua5.4 controller.lua lua5.4 controller.lua
}

record_lua_telemetry() {
    record lua-telemetry lua5.4 telemetry.lua lua5.4 telemetry.lua
}

record_sqlite_logbook() {
    record sqlite-logbook sqlite3 logbook.sql sqlite3 :memory: '.read logbook.sql'
}

record_tidy_plant() {
    record tidy-plant tidy plant.xml tidy -q -xml -i plant.xml
}

# --- The table -------------------------------------------------------------------

# row NAME: what the head of a trace says.
row() {
    zstd -dcq "$here/$1.zst" | awk -v name="$1" -v bytes="$(wc -c <"$here/$1.zst")" '
        /^#/ { key = $2; sub(/:$/, "", key); sub(/^# [^:]*: /, ""); value[key] = $0 }
        /^[ar] / && $3 > largest { largest = $3 }
        /^a / { objects++ }
        END {
            printf "| `%s.zst` | `%s` | %s %s | %s | %d | %d | %d | %d | %d |\n", name, value["program"],
                value["package"], value["version"], value["input"], value["operations"], objects,
                value["peak-payload"], largest, bytes
        }'
}

write_table() {
    sed '/^| Trace /,$d' "$here/README.md" >table
    {
        echo '| Trace | Program | Debian package | Input | Operations | Objects | Peak payload | Largest object | Bytes |'
        echo '|---|---|---|---|---:|---:|---:|---:|---:|'
        for trace in $traces; do
            row "$trace"
        done
    } >>table
    cat table >"$here/README.md"
}

[ $# != 0 ] || set -- $traces
for trace in "$@"; do
    case " $(echo $traces) " in
    *" $trace "*) "record_$(echo "$trace" | tr - _)" ;;
    *) die "$trace: no such trace; there are: $(echo $traces)" ;;
    esac
done
write_table
