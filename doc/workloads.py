#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fills in the tables of workloads.md: workloads.py DEFRAG-BENCH FILE [NAME...]; without names all

A table begins behind the line <!-- NAME --> and ends with the next empty line.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

SEEDS = (2463534242, 1, 2)
GOALS = {
    "uniform": {80: 0.01, 85: 0.04, 90: 0.13, 92: 0.22},
    "bimodal": {80: 0.04, 85: 0.10, 90: 0.31, 92: 0.65},
}
MOVING = ("libdefrag", "slide", "full-slide")
PACES = (None, "1/8", "1/4", "1/2", "1", "2", "4")


def bench(*arguments):
    print("defrag-bench", *arguments, file=sys.stderr)
    return json.loads(subprocess.run((BENCH, *arguments, "--json"), check=True, stdout=subprocess.PIPE).stdout)


def churn(workloads, percents, *arguments):
    """The runs of all seeds, by workload, occupancy and policy."""
    options = [f"--occupancy={percent}" for percent in percents] + [f"--seed={seed}" for seed in SEEDS]
    runs = {}
    for run in bench("churn", *workloads, *options, *arguments)["runs"]:
        runs.setdefault((run["workload"], run["occupancy"], run["policy"]), []).append(run)
    return runs


def table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def total(runs, key):
    return sum(run[key] for run in runs)


def ratio(part, whole, digits=2):
    return f"{part / whole:.{digits}f}" if whole else "–"


def short(number):
    """Three digits, as the goals have them."""
    return f"{number:.4f}" if number < 0.1 else f"{number:.3f}" if number < 1 else f"{number:.2f}"


def moved(runs):
    return short(total(runs, "moved_bytes") / total(runs, "allocated_bytes"))


def moved_by_seed(runs):
    each = [run["moved_bytes"] / run["allocated_bytes"] for run in runs]
    return f"{short(min(each))} – {short(max(each))}"


def of_floors(runs):
    return ratio(total(runs, "moved_bytes"), total(runs, "floor_bytes"))


def pause(runs):
    return f"{max(run['longest_pause_bytes'] for run in runs):,}"


def refused(runs):
    return f"{total(runs, 'refused'):,}"


def goals():
    headings = ["", "goal", "moved", "by seed", "of floors", "longest pause", "slide", "its pause", "full slide",
                "its pause"]
    runs = churn(GOALS, GOALS["uniform"])
    rows = []
    for workload, goal in GOALS.items():
        for percent in goal:
            ours, slide, full = (runs[workload, percent, policy] for policy in MOVING)
            rows.append([f"{workload} {percent} %", f"{goal[percent]:.2f}", moved(ours), moved_by_seed(ours),
                         of_floors(ours), pause(ours), moved(slide), pause(slide), moved(full), pause(full)])
    return table(headings, rows)


def workloads():
    headings = ["", "moved", "of floors", "longest pause", "refused", "slide", "its pause", "refused", "full slide",
                "its pause", "refused", "full"]
    runs = churn(["all"], (70, 80, 85, 90, 92, 95, 98))
    rows = []
    for workload, percent, policy in runs:
        if policy == MOVING[0]:
            row = [f"{workload} {percent} %"]
            for policy in MOVING:
                these = runs[workload, percent, policy]
                row += [moved(these)] + [of_floors(these)] * (policy == MOVING[0]) + [pause(these), refused(these)]
            rows.append(row + [f"{total(runs[workload, percent, MOVING[0]], 'full'):,}"])
    return table(headings, rows)


def pacing():
    headings = ["", "c", "moved", "in advance", "by requests", "requests that move", "longest pause"]
    names, percents = ("uniform", "bimodal"), (80, 90, 95)
    runs = {pace: churn(names, percents, "--policy=libdefrag", *([f"--pace={pace}"] if pace else [])) for pace in PACES}
    rows = []
    for name in names:
        for percent in percents:
            for pace in PACES:
                these = runs[pace][name, percent, "libdefrag"]
                ahead, allocated = total(these, "moved_in_advance_bytes"), total(these, "allocated_bytes")
                rows.append([f"{name} {percent} %" if not pace else "", pace or "none", moved(these),
                             short(ahead / allocated), short((total(these, "moved_bytes") - ahead) / allocated),
                             f"{total(these, 'moving_requests'):,}", pause(these)])
    return table(headings, rows)


def heap_ratio(duel, result):
    return ratio(result["heap_bytes"], duel["most_units"] * duel["unit_bytes"], 3)


def adversaries():
    duels = bench("adversary", "all")["adversaries"]
    names = [result["policy"] for result in duels[0]["results"] if result["policy"] not in MOVING[1:]]
    rows = []
    for duel in duels:
        results = {result["policy"]: result for result in duel["results"]}
        bound = results["best-fit"]["bound_bytes"] / duel["most_units"] / duel["unit_bytes"]
        rows.append([duel["adversary"], f"{duel['most_units']:,}", f"{duel['largest_units']}",
                     f"{duel['unit_bytes']}", f"{bound:.3f}"] + [heap_ratio(duel, results[name]) for name in names])
    return table(["", "units", "largest", "bytes each", "bound"] + names, rows)


def duel_rows(duels, label):
    for duel in duels:
        for result in duel["results"]:
            if result["policy"] in MOVING:
                first = label(duel) if result["policy"] == MOVING[0] else ""
                yield [first, result["policy"], ratio(result["moved_bytes"], result["allocated_bytes"], 4),
                       ratio(result["moved_bytes"], result["floor_bytes"], 3), f"{result['longest_pause_bytes']:,}"]


def moves():
    duels = bench("adversary", "all", *(f"--policy={policy}" for policy in MOVING))["adversaries"]
    return table(["", "", "moved", "of floors", "longest pause"], duel_rows(duels, lambda duel: duel["adversary"]))


def sawtooth():
    duels = [bench("adversary", "sawtooth", f"--largest={largest}", *(f"--policy={policy}" for policy in MOVING))
             for largest in (48, 96, 191)]
    return table(["", "", "moved", "of floors", "longest pause"],
                 duel_rows([duel["adversaries"][0] for duel in duels],
                           lambda duel: f"s = {duel['largest_units'] / duel['most_units']:.2f}"))


def counted(function, program, *arguments):
    """Instructions in a function of the program and what it calls."""
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out")
        subprocess.run(("valgrind", "--tool=callgrind", f"--toggle-collect={function}", f"--callgrind-out-file={out}",
                        program, *arguments), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            return int(re.search(r"^totals: (\d+)", file.read(), re.M)[1])


def planning():
    headings = ["", "plans", "looked at, mean", "most", "instructions, mean", "where most is looked at"]
    rows = []
    for workload, goal in GOALS.items():
        for percent in goal:
            arguments = (workload, str(percent), str(SEEDS[0]))
            print("planning", *arguments, file=sys.stderr)
            line = subprocess.run((PLANNING, *arguments), check=True, stdout=subprocess.PIPE).stdout
            plans, visits, most, most_at = map(int, line.split())
            mean = counted("planning_other", PLANNING, *arguments) / plans
            worst = counted("planning_one", PLANNING, *arguments, str(most_at))
            rows.append([f"{workload} {percent} %", f"{plans:,}", f"{visits / plans:,.0f}", f"{most:,}", f"{mean:,.0f}",
                         f"{worst:,}"])
    return table(headings, rows)


def pauses():
    headings = ["", "c", "longest pause", "its instructions", "looked at most", "its instructions"]
    rows = []
    for workload in ("uniform", "locked", "bimodal", "skewed", "phases", "larson"):
        for pace in ((0, 0), (1, 1)):
            arguments = (workload, "90", str(SEEDS[0]), *map(str, pace))
            print("pauses", *arguments, file=sys.stderr)
            line = subprocess.run((PAUSES, *arguments), check=True, stdout=subprocess.PIPE).stdout
            moved_most, moving, looked_most, looking = map(int, line.split())
            instructions = {at: counted("pause_of_one", PAUSES, *arguments, str(at)) for at in {moving, looking}}
            rows.append(["" if pace[0] else f"{workload} 90 %", "1" if pace[0] else "none", f"{moved_most:,}",
                         f"{instructions[moving]:,}", f"{looked_most:,}", f"{instructions[looking]:,}"])
    return table(headings, rows)


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        text = file.read()
    for name in sys.argv[3:] or re.findall(r"^<!-- (\w+) -->$", text, re.M):
        filled = globals()[name]()
        text = re.sub(rf"(?m)^(<!-- {name} -->\n)(?:.+\n)*", lambda found: found[1] + filled + "\n", text)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(text)


BENCH = sys.argv[1]
PLANNING = os.path.join(os.path.dirname(BENCH), "..", "bench", "planning")
PAUSES = os.path.join(os.path.dirname(BENCH), "..", "bench", "pauses")
main()
