#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The coverage gate: the unit tests run every line of lib/ and every branch of it both ways, in one build or
another.

clang counts in the source, before anything is inlined or folded, so that what its counters say of the builds
can be put together by place: a line of a header that the compiler saw a hundred times is one line. gcov's
counters of branches are of the machine's code and cannot be added up like this. The sum is written as a
trace of lcov, whose genhtml shows it to people.

What cannot be reached has a comment in front of it that says why,

    /* coverage: the reason */

which holds for the statement after it, to its semicolon or closing brace; at the end of a line it holds for
that line. One that excludes nothing but what is covered fails as well.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import sys

sys.dont_write_bytecode = True
import programs
from programs import LIB, TOP, must, run

BUILDS = programs.BUILDS + programs.WATCHED
EFFORT = 5  # percent of what `make check` does: the counts repeat, so it is enough where it is

CODE, EXPANSION, SKIPPED = 0, 1, 2  # kinds of llvm's regions


# --- Running ------------------------------------------------------------------------------------


def compile_library(command, link, build, out):
    out.mkdir(parents=True, exist_ok=True)
    objects = []
    for source in programs.lib_sources():
        objects.append(out / (source + ".o"))
        must([*command, *programs.lib_command(build, LIB), LIB / source, "-o", objects[-1]])
    must([*link, "-shared", "-o", out / programs.library_name(build), *objects])


def compile_all(compiler, folder):
    """The libraries that count in a folder each, and those that do not count for what else a program links."""
    counting = ["-fprofile-instr-generate", "-fcoverage-mapping"]
    for build in BUILDS:
        compile_library([*compiler, "-O1", *counting], [*compiler, *counting], build, folder / build.name)
    for build in programs.LIBRARIES:
        compile_library([*compiler, "-O0"], compiler, build, folder / "plain")
    (folder / "tests").mkdir()
    programs.compile_tests(compiler, programs.unit_tests(), folder / "tests", folder / "plain")


def measure(build, folder, tools):
    """Runs all programs over a build; returns what llvm-cov exports of it."""
    out = folder / build.name
    for program in programs.unit_tests():
        if programs.suits(program, build):
            environment = programs.environment(program, build, EFFORT, out, folder / "plain")
            environment["LLVM_PROFILE_FILE"] = str(out / f"{program}.profraw")
            done = run([folder / "tests" / program], env=environment, cwd=out)
            if done.returncode != 0:
                sys.exit(f"{program} fails on {build.name}:\n{done.stdout.decode(errors='replace')}")
    library, profile = out / programs.library_name(build), out / "profile"
    must([tools["llvm-profdata"], "merge", "-o", profile, *out.glob("*.profraw")])
    return json.loads(must([tools["llvm-cov"], "export", library, f"-instr-profile={profile}"]))["data"][0]


# --- Adding up ----------------------------------------------------------------------------------


class File:
    """What all builds together did of a source file. A place in a macro has those of its uses in front."""

    def __init__(self, path):
        self.path, self.name = path, path.name
        self.text = path.read_text()
        self.bare = re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), self.text,
                           flags=re.S)
        self.lines = collections.Counter()    # line -> how often
        self.regions = collections.Counter()  # (place, ..., span) -> how often
        self.branches = {}                    # (place, ..., span) -> [how often true, false]
        self.exclusions = list(self._find_exclusions())

    def _find_exclusions(self):
        """(line of the comment, first line, last line, reason)"""
        for match in re.finditer(r"/\*\s*coverage:(.*?)\*/", self.text, re.S):
            start = end = match.start()
            if not self.bare[self.bare.rfind("\n", 0, start):start].strip():
                start = match.end() + len(self.bare[match.end():]) - len(self.bare[match.end():].lstrip())
                end = self._end_of_statement(start)
            line = [self.text.count("\n", 0, at) + 1 for at in (match.start(), start, end)]
            yield (*line, " ".join(match.group(1).split()))

    def _end_of_statement(self, start):
        depth = 0
        for end in range(start, len(self.bare)):
            depth += (self.bare[end] in "({") - (self.bare[end] in ")}")
            if depth == 0 and self.bare[end] in ";}":
                return end
        return len(self.bare)

    def add_segments(self, segments, left_out):
        """
        The lines, as llvm-cov counts them: the most frequent region that begins on a line or reaches it. Those
        that the preprocessor left out are none.
        """
        by_line = collections.defaultdict(list)
        for line, _, count, has_count, is_entry, is_gap in segments:
            by_line[line].append((count, has_count, is_entry and has_count and not is_gap, is_entry))
        wrapped = None
        for line in range(segments[0][0], segments[-1][0] + 1):
            here = by_line[line]
            begins = [count for count, _, begins, _ in here if begins]
            if line not in left_out and (begins or (wrapped and wrapped[1])) and self._has_code(line):
                self.lines[line] += max([wrapped[0] if wrapped else 0, *begins])
            wrapped = here[-1] if here else wrapped

    def _has_code(self, line):
        """Not in what a macro stands for: that counts where it is used."""
        return re.match(r"(?!\s*#).*\w", self.bare.split("\n")[line - 1])

    def add_function(self, function):
        uses = {0: ()}
        for *span, _, file, expanded, kind in sorted(function["regions"], key=lambda region: region[5]):
            if kind == EXPANSION:
                uses[expanded] = (*uses[file], tuple(span))
        for *span, count, file, _, kind in function["regions"]:
            if kind == CODE:
                self.regions[(*uses[file], tuple(span))] += count
        for *span, true, false, file, _, _ in function["branches"]:
            sum_ = self.branches.setdefault((*uses[file], tuple(span)), [0, 0])
            sum_[0] += true
            sum_[1] += false

    def drop_constants(self):
        """A condition that went neither way, in code that ran, is a constant in every build: no branch."""
        for place in [place for place, counts in self.branches.items() if counts == [0, 0]]:
            if self._ran(place):
                del self.branches[place]

    def _ran(self, place):
        *use, (line, column, _, _) = place
        around = [region for region in self.regions if list(region[:-1]) == use
                  and region[-1][:2] <= (line, column) < region[-1][2:]]
        return around and self.regions[max(around, key=lambda region: (region[-1][:2], [-n for n in region[-1][2:]]))]

    def text_of(self, place):
        line, column, end_line, end_column = place[0]
        if len(place) > 1:
            return self.text.split("\n")[line - 1].strip()
        text = self.text.split("\n")[line - 1:end_line]
        text[-1] = text[-1][:end_column - 1]
        text[0] = text[0][column - 1:]
        return " ".join(part.strip() for part in text)


def add_up(exports):
    files = {}
    for export in exports:
        left_out = collections.defaultdict(set)
        for function in export["functions"]:
            for first, _, last, _, _, file, _, kind in function["regions"]:
                if kind == SKIPPED:
                    left_out[function["filenames"][file]].update(range(first, last + 1))
        for entry in export["files"]:
            path = pathlib.Path(entry["filename"]).resolve()
            if path.parent == LIB and entry["segments"] and path.name != "defrag.h":
                files.setdefault(path, File(path)).add_segments(
                    entry["segments"], left_out[entry["filename"]])
        for function in export["functions"]:
            path = pathlib.Path(function["filenames"][0]).resolve()
            if path in files:
                files[path].add_function(function)
    for file in files.values():
        file.drop_constants()
    return [files[path] for path in sorted(files)]


# --- Judging ------------------------------------------------------------------------------------


class Verdict:
    def __init__(self, file):
        self.missing, self.excluded, self.idle = [], [], []
        gaps = [(line, "line never runs") for line, count in sorted(file.lines.items()) if count == 0]
        for place, counts in sorted(file.branches.items()):
            for way, count in zip(("true", "false"), counts):
                if count == 0:
                    gaps.append((place[0][0], f"never {way}: {file.text_of(place)}"))
        used = set()
        for line, text in gaps:
            exclusion = next((e for e in file.exclusions if e[1] <= line <= e[2]), None)
            if exclusion:
                used.add(exclusion)
            else:
                self.missing.append(f"lib/{file.name}:{line}: {text}")
        for exclusion in file.exclusions:
            where = f"lib/{file.name}:{exclusion[0]}: "
            if exclusion in used:
                self.excluded.append(where + exclusion[3])
            else:
                self.idle.append(where + "excluded, but covered")
        open_line = [line for line in file.lines if not self._is_excluded(file, line)]
        open_branch = [place for place in file.branches if not self._is_excluded(file, place[0][0])]
        self.lines = sum(file.lines[line] > 0 for line in open_line), len(open_line)
        ways = [count > 0 for place in open_branch for count in file.branches[place]]
        self.branches = sum(ways), len(ways)

    @staticmethod
    def _is_excluded(file, line):
        return any(first <= line <= last for _, first, last, _ in file.exclusions)


def percent(part, whole):
    return f"{part}/{whole} {100 * part / whole if whole else 100:.2f} %"


def table(rows):
    lines = [f"{'file':<12}{'lines':>24}{'branches':>24}{'excluded':>10}"]
    for name, part, whole, true, ways, excluded in rows:
        lines.append(f"{name:<12}{percent(part, whole):>24}{percent(true, ways):>24}{excluded:>10}")
    return lines


def judge(files):
    """The report, and whether the gate opens."""
    verdicts = [Verdict(file) for file in files]
    rows = [(file.name, *verdict.lines, *verdict.branches, len(verdict.excluded))
            for file, verdict in zip(files, verdicts)]
    rows.append(("all", *(sum(row[i] for row in rows) for i in range(1, 6))))
    report = table(rows)
    report += [f"excluded: {text}" for verdict in verdicts for text in verdict.excluded]
    faults = [text for verdict in verdicts for text in verdict.missing + verdict.idle]
    return report + faults, not faults


def write_trace(files, path):
    """A trace of lcov, for genhtml."""
    lines = []
    for file in files:
        lines += ["TN:", f"SF:{file.path}"]
        for number, (place, (true, false)) in enumerate(sorted(file.branches.items())):
            lines += [f"BRDA:{place[0][0]},0,{2 * number},{true}", f"BRDA:{place[0][0]},0,{2 * number + 1},{false}"]
        lines += [f"DA:{line},{count}" for line, count in sorted(file.lines.items())]
        lines.append("end_of_record")
    path.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description="The coverage gate of lib/.")
    parser.add_argument("--output", type=pathlib.Path, default=TOP / "build" / "coverage", help="a folder")
    parser.add_argument("--html", action="store_true", help="pages for people, by genhtml, in html/ there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="builds at a time")
    options = parser.parse_args()
    compiler = os.environ.get("CLANG", "clang").split()
    tools = {name: os.environ.get(name.upper().replace("-", "_"), name) for name in ("llvm-cov", "llvm-profdata")}

    folder = options.output.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    compile_all(compiler, folder)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        files = add_up(pool.map(lambda build: measure(build, folder, tools), BUILDS))
    report, opens = judge(files)
    print("\n".join(report))
    if options.html:
        write_trace(files, folder / "trace.info")
        must(["genhtml", "--quiet", "--branch-coverage", "--legend", "-o", folder / "html", folder / "trace.info"])
        print(f"in {folder}/html/index.html")
    return 0 if opens else 1


if __name__ == "__main__":
    sys.exit(main())
