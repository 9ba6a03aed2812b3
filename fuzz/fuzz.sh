#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the fuzz targets of a build, or brings what they found into the committed corpus.
set -eu

usage() {
    cat >&2 <<'EOF'
usage: fuzz.sh [--minimize] BUILD SECONDS [TARGET...]

Runs each target (calls, device, image, inspect, trace) of the folder BUILD, which was configured
with --enable-fuzzing, for its part of so many seconds, one job for each core.
With --minimize the fewest inputs that reach all that was reached then replace
those in fuzz/corpus/.
EOF
    exit 2
}

minimize=no
[ "${1-}" != --minimize ] || { minimize=yes; shift; }
[ $# -ge 2 ] || usage
case $2 in
'' | *[!0-9]*) usage ;;
esac
sources=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$build/fuzz" && ls fuzz_calls fuzz_device fuzz_image fuzz_inspect fuzz_trace 2>/dev/null | sed s/fuzz_//)
[ $# -gt 0 ] || { echo "fuzz.sh: $build has no fuzz targets; configure it with --enable-fuzzing" >&2; exit 2; }
part=$((seconds / $#))
[ "$part" -gt 0 ] || part=1
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
crashed=0

files_in() {
    find "$1" -type f | wc -l
}

# What NAME.options says, as libFuzzer's options.
options_of() {
    sed -n 's/^\([a-z_]*\) = \([0-9]*\)$/-\1=\2/p' "$sources/$1.options"
    [ ! -f "$sources/$1.dict" ] || echo "-dict=$sources/$1.dict"
}

# Runs one target; adds a line to the summary, and the crashes to the list.
run_target() {
    name=$1
    corpus=$build/corpus/$name crashes=$build/crashes/$name log=$build/fuzz-$name.log
    mkdir -p "$corpus" "$crashes"
    before=$(files_in "$corpus")
    : >"$build/this-run"
    echo "==> $name, $part s, $jobs jobs"
    status=0
    "$build/fuzz/fuzz_$name" -fork="$jobs" -max_total_time="$part" -rss_limit_mb=2048 $(options_of "$name") \
        -artifact_prefix="$crashes/" "$corpus" "$sources/corpus/$name" "$sources/regressions/$name" \
        2>&1 | tee "$log" | grep --line-buffered -e '^#' -e ERROR -e SUMMARY -e '^[^ ]*\.c:[0-9]' || status=$?
    found=$(find "$crashes" -type f -newer "$build/this-run")
    grep -q '^#.* cov: ' "$log" || { tail -n 20 "$log" >&2; status=1; }
    awk -v name="$name" -v found="$(echo "$found" | grep -c .)" -v more=$(($(files_in "$corpus") - before)) '
        /^#.* cov: / { executions = $1; gsub(/[#:]/, "", executions); edges = $3 }
        END { printf "%-8s %12d %10d %8d %8d\n", name, executions, more, edges, found }' "$log" >>"$build/summary"
    [ -z "$found" ] && [ "$status" -eq 0 ] || crashed=1
    for crash in $found; do
        echo "    $build/fuzz/replay_$name -s $crash" >>"$build/crashed"
    done
}

minimize_target() {
    name=$1 fresh=$build/fresh-$name
    rm -rf "$fresh"
    mkdir "$fresh"
    echo "==> minimising fuzz/corpus/$name"
    "$build/fuzz/fuzz_$name" -set_cover_merge=1 -use_counters=0 $(options_of "$name") \
        "$fresh" "$sources/corpus/$name" "$build/corpus/$name" >"$build/merge-$name.log" 2>&1 ||
        { tail -n 20 "$build/merge-$name.log" >&2; exit 1; }
    [ "$(files_in "$fresh")" -gt 0 ] || { echo "fuzz.sh: the merge of $name left nothing" >&2; exit 1; }
    rm -rf "${sources:?}/corpus/$name"
    mv "$fresh" "$sources/corpus/$name"
    echo "    $(files_in "$sources/corpus/$name") inputs, $(cat "$sources/corpus/$name"/* | wc -c) bytes"
}

: >"$build/summary"
: >"$build/crashed"
for target in "$@"; do
    run_target "$target"
done
if [ "$minimize" = yes ]; then
    for target in "$@"; do
        minimize_target "$target"
    done
fi

printf '%-8s %12s %10s %8s %8s\n' target executions "new units" edges crashes
cat "$build/summary"
if [ -s "$build/crashed" ]; then
    echo "Crashes; each of these replays one:"
    cat "$build/crashed"
    echo "When it is mended, the input goes to fuzz/regressions/TARGET/."
fi
exit "$crashed"
