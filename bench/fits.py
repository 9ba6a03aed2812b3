#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether the times that Google Benchmark has measured grow as defrag.h says: fits.py [--shape] FILE.json

For each benchmark: the fit of the order that the contract promises, with its coefficient and its root mean square,
and the exponent e of the straight line through log(time) over log(argument). O(1) is kept if e is at most 0.4, to
leave room for caches; O(N) if e is at most 1.25. Exit status: 0, all are; 1, some are not; 2, the file is no such
result. --shape looks at the form alone and judges no time.
"""
import json
import math
import sys

MOST = {"(1)": 0.4, "N": 1.25}
NAMES = {"(1)": "O(1)", "N": "O(N)"}


class Malformed(Exception):
    pass


def series(result):
    """Of each benchmark the argument and time of each run, and the rows of its fit."""
    runs, fits = {}, {}
    for row in result["benchmarks"]:
        if row.get("error_occurred"):
            raise Malformed(f"{row['name']}: {row['error_message']}")
        if row.get("run_type") == "aggregate":
            if row["aggregate_name"] in ("BigO", "RMS"):
                fits.setdefault(row["name"].rsplit("_", 1)[0], {})[row["aggregate_name"]] = row
        else:
            name, argument = row["name"].rsplit("/", 1)
            runs.setdefault(name, []).append((int(argument), float(row["cpu_time"])))
    if not runs or set(runs) != set(fits):
        raise Malformed("not each benchmark has a fit")
    return runs, fits


def exponent(points):
    """Of the power of the argument that fits the times best."""
    logs = [(math.log(argument), math.log(max(time, 1e-3))) for argument, time in points]
    middle_x = sum(x for x, _ in logs) / len(logs)
    middle_y = sum(y for _, y in logs) / len(logs)
    spread = sum((x - middle_x) ** 2 for x, _ in logs)
    if spread == 0:
        raise Malformed("a fit wants several arguments")
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / spread


def judge(runs, fits):
    """Prints a line for each; how many do not keep their contract."""
    broken = 0
    print(f"{'BENCHMARK':<28} {'CONTRACT':>8} {'EXPONENT':>8} {'COEFFICIENT':>14} {'RMS':>6}  VERDICT")
    for name, points in runs.items():
        fit, rest = fits[name]["BigO"], fits[name]["RMS"]
        order = fit["big_o"]
        if order not in MOST:
            raise Malformed(f"{name}: unknown order {order}")
        e = exponent(points)
        kept = e <= MOST[order]
        broken += not kept
        coefficient = f"{fit['cpu_coefficient']:.2f} {fit['time_unit']}"
        print(f"{name:<28} {NAMES[order]:>8} {e:>8.2f} {coefficient:>14} {100 * rest['rms']:>4.0f} %  "
              f"{'as promised' if kept else 'GROWS FASTER'}")
    return broken


def main(arguments):
    shape = arguments[:1] == ["--shape"]
    files = arguments[shape:]
    if len(files) != 1:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    try:
        with open(files[0], encoding="utf-8") as file:
            runs, fits = series(json.load(file))
        if shape:
            print(f"{len(runs)} benchmarks, {sum(map(len, runs.values()))} runs")
            return 0
        return 1 if judge(runs, fits) else 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Malformed) as error:
        print(f"fits.py: {files[0]}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
