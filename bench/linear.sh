#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions of a full compaction against blocks, counted by callgrind: a line
# for each kind of compaction, share of locked blocks and number of blocks. The
# last column is the instructions of a block over those with the fewest blocks: 1
# all the way down is a straight line through the origin.
#
#   linear.sh PROGRAM [MOST-BLOCKS]
set -eu
program=$1
most=${2:-100000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

printf '%-22s %9s %8s %9s %14s %13s %9s %7s\n' compaction 'locked' blocks steps instructions 'bytes moved' 'a block' ratio
for budget in 0 1024; do
    for locked in 0 10 100; do
        first=
        for blocks in 100 1000 10000 100000; do
            [ "$blocks" -le "$most" ] || continue
            "${VALGRIND:-valgrind}" --tool=callgrind --toggle-collect=compaction --callgrind-out-file="$scratch/out" \
                "$program" "$blocks" "$locked" "$budget" >"$scratch/line" 2>"$scratch/log" ||
                { cat "$scratch/log" >&2; exit 1; }
            instructions=$(sed -n 's/^totals: //p' "$scratch/out")
            read -r steps moved holes <"$scratch/line"
            first=${first:-$(echo "$instructions $blocks" | awk '{ print $1 / $2 }')}
            name='at once'
            [ "$budget" -eq 0 ] || name="steps of $budget bytes"
            echo "$instructions $blocks $first" | awk -v name="$name" -v locked="$locked" -v steps="$steps" -v moved="$moved" \
                '{ printf "%-22s %7.1f %% %8d %9d %14.0f %13d %9.1f %7.2f\n", name, locked / 10, $2, steps, $1, moved, $1 / $2, $1 / $2 / $3 }'
        done
    done
done
