#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing of lib/: changes it in every way that mutants.py knows, one change at a time, and
demands that the fast unit tests notice.

Each mutated build is linked as a shared library, so that the test programs stay as they are, and the tests run
against it until one fails. First comes a quick compiler, which most mutants do not survive. For the others the
files they touch are compiled as users do, for each build. Where the object code is the original's there is
nothing to notice; elsewhere the tests run again.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
import programs
from mutants import mutants_of
from programs import BUILDS, LIB, QUICK, TOP, must, run

NOT_MUTATED = {
    "defrag.h": "declarations and documentation; its macros are user code, tests/test_macros.c tests them",
    "watch.h": "requests to AddressSanitizer and Valgrind, nothing in the builds tested here; tests of its own",
    "port.h": "configuration and names; it has no code of its own",
}

Test = collections.namedtuple("Test", "program effort seconds")
# Each with percent of the usual work, and the processor seconds, at least ten times what it needs, after
# which it is said to hang. The late ones run where the early ones found nothing; among the early ones the
# most successful goes first.
EARLY = ([Test(name, 1, 1) for name in programs.unit_tests()]
         + [Test("replay_calls", 100, 2), Test("replay_image", 100, 2)])
LATE = [Test("test_random", 20, 4), Test("test_promise_memory", 20, 6), Test("test_promise_still", 20, 6)]
# What the quick compiler makes is slow.
FIRST = [test._replace(seconds=3) for test in EARLY if test.program in (
    "test_status", "test_random", "test_hooks", "test_damage", "test_placement", "replay_image")]
# Where these too have something to find; and of the other builds the first that a mutant changes.
LATE_BUILDS = ("n8", "w8", "n4", "hn8")

# The builds that differ most first.
FRONT = ("n8", "hn8", "w8", "n4")
ORDERED = sorted(BUILDS, key=lambda build: FRONT.index(build.name) if build.name in FRONT else len(FRONT))


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:24]


class Bench:
    """The original files, objects and libraries, the test programs, and what is known of earlier runs."""

    def __init__(self, folder, fresh, only):
        self.folder, self.only = folder, only
        self.cc = os.environ.get("CC", "gcc").split()
        folder.mkdir(parents=True, exist_ok=True)
        # A copy, so that nobody has to wait for the end before going on with the work.
        self.lib = folder / "lib"
        shutil.rmtree(self.lib, ignore_errors=True)
        shutil.copytree(LIB, self.lib, ignore=lambda _, names: [n for n in names if n[-2:] not in (".c", ".h")])
        self.sources = sorted(p.name for p in self.lib.glob("*.c"))
        self.objects, self.quick, self.programs, self.lock = {}, {}, {}, threading.Lock()
        self.kills = collections.Counter(test_status=2, test_random=1)
        self.results_file = folder / "results.json"
        self.results = {}
        if not fresh and self.results_file.exists():
            self.results = json.loads(self.results_file.read_text())
        self.library = folder / "original"
        self._compile_originals()
        self._compile_tests()

    def compile(self, build, source, folder, out):
        """Compiles folder/source; the object's bytes, or None if the compiler refuses it."""
        command = [*self.cc, "-O2", "-fno-semantic-interposition", *programs.lib_command(build, folder)]
        if run([*command, source, "-o", out], cwd=folder).returncode != 0:
            return None
        return pathlib.Path(out).read_bytes()

    def compile_quick(self, build, folder, out):
        """Makes the whole library; its digest, or None if the compiler refuses it."""
        done = run(programs.tcc_command(build, folder, out), cwd=folder)
        return digest(out.read_bytes()) if done.returncode == 0 else None

    def link(self, objects, out):
        must(["ld", "-shared", "-o", out, *objects])

    def _compile_originals(self):
        shutil.rmtree(self.library, ignore_errors=True)
        for build in BUILDS:
            out = self.library / build.name
            out.mkdir(parents=True)
            self.objects[build.name] = {}
            for source in self.sources:
                code = self.compile(build, source, self.lib, out / (source + ".o"))
                if code is None:
                    sys.exit(f"{source} does not compile for {build.name}")
                self.objects[build.name][source] = digest(code)
            objects = [out / (source + ".o") for source in self.sources]
            self.link(objects, out / programs.library_name(build))
            if build in programs.LIBRARIES:
                self.link(objects, self.library / programs.library_name(build))

        for build in QUICK:
            (self.library / build.name).mkdir()
            out = self.library / build.name / programs.library_name(build)
            self.quick[build.name] = self.compile_quick(build, self.lib, out)
            if self.quick[build.name] is None:
                sys.exit(f"tcc does not compile lib/ for {build.name}")

    def _compile_tests(self):
        out = self.folder / "tests"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        names = sorted({test.program for test in EARLY + LATE})
        programs.compile_tests(self.cc, names, out, self.library)
        for name in names:
            test = [path.read_bytes() for path in sorted(out.glob(name + "-*.o"))]
            if name.startswith("replay_"):  # which reads these
                test += [path.read_bytes() for path in sorted((TOP / "fuzz").glob(f"*/{name[len('replay_'):]}/*"))]
            self.programs[name] = (out / name, digest(*test), digest((out / name).read_bytes(), *test[1:]))

    def save(self):
        with self.lock:
            text = json.dumps(self.results)
        temporary = self.results_file.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self.results_file)

    # --- Tests -------------------------------------------------------------------------

    def tests_of(self, build, late=True):
        tests = sorted(EARLY if build in BUILDS else FIRST, key=lambda test: -self.kills[test.program])
        if late and build in BUILDS:
            tests += LATE
        return [test for test in tests if programs.suits(test.program, build)]

    def run_test(self, build, test, folder):
        """'passed', 'failed' or 'hung'."""
        environment = programs.environment(test.program, build, test.effort, folder, self.library)
        limits = ["prlimit", f"--cpu={test.seconds}:{test.seconds + 1}", "--as=4294967296", "--core=0"]
        try:
            done = run([*limits, self.programs[test.program][0]], env=environment, cwd=folder,
                       timeout=60 * test.seconds)
        except subprocess.TimeoutExpired:
            return "hung"
        if done.returncode in (-24, -9):
            return "hung"
        return "passed" if done.returncode == 0 else "failed"

    def known(self, code, build, test):
        """A failure stays one as long as its test stays, a pass as long as the whole program does."""
        _, own, whole = self.programs[test.program]
        base = f"{code} {build.name} {test.program} {test.effort}"
        return f"{base} {own}", f"{base} {whole}"

    def try_tests(self, build, code, folder, late=True):
        """(how, by which test) or None if all pass. `code` names the mutated library in `folder`."""
        tests = self.tests_of(build, late)
        for test in tests:
            result = self.results.get(self.known(code, build, test)[0])
            if result:
                return result, test.program
        for test in tests:
            failed, passed = self.known(code, build, test)
            if passed in self.results:
                continue
            result = self.run_test(build, test, folder)
            with self.lock:
                self.results[passed if result == "passed" else failed] = result
                self.kills[test.program] += result != "passed"
            if result != "passed":
                return result, test.program
        return None


class Worker:
    """A copy of lib/ to mutate."""

    def __init__(self, bench, number):
        self.bench = bench
        self.folder = bench.folder / f"worker{number}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lib = self.folder / "lib"
        self.out = self.folder / "out"
        self.out.mkdir(parents=True)
        shutil.copytree(bench.lib, self.lib)

    def _compile(self, mutant, build):
        """The changed objects by source, None where the compiler refuses."""
        sources = [mutant.file] if mutant.file.endswith(".c") else self.bench.sources
        changed = {}
        for source in sources:
            code = self.bench.compile(build, source, self.lib, self.out / (source + ".o"))
            if code is None:
                return None
            if digest(code) != self.bench.objects[build.name][source]:
                changed[source] = digest(code)
        return changed

    def _write(self, mutant, new):
        text = (self.bench.lib / mutant.file).read_text()
        (self.lib / mutant.file).write_text(text[:mutant.start] + new + text[mutant.end:])

    def _is_compiled(self, mutant):
        self._write(mutant, " @ ")
        return any(self._compile(mutant, build) is None for build in BUILDS)

    def try_mutant(self, mutant):
        """(outcome, detail): killed, hung, refused, same code, not compiled, survived."""
        try:
            return self._try_mutant(mutant)
        finally:
            shutil.copyfile(self.bench.lib / mutant.file, self.lib / mutant.file)

    def _try_quickly(self, mutant):
        """(build, how, by which test) or None."""
        for build in QUICK if mutant.file.endswith(".h") else QUICK[:1]:
            out = self.out / programs.library_name(build)
            code = self.bench.compile_quick(build, self.lib, out)
            found = None
            if code and code != self.bench.quick[build.name]:
                found = self.bench.try_tests(build, code, self.out)
            out.unlink(missing_ok=True)
            if found:
                return build.name, *found
        return None

    def _try_mutant(self, mutant):
        self._write(mutant, mutant.new)
        found = self._try_quickly(mutant)
        if found:
            return ("hung" if found[1] == "hung" else "killed"), f"{found[0]} {found[2]}"
        differs = []
        for build in ORDERED:
            changed = self._compile(mutant, build)
            if changed is None:
                return "refused", build.name
            if not changed:
                continue
            differs.append(build.name)
            objects = [(self.out if s in changed else self.bench.library / build.name) / (s + ".o")
                       for s in self.bench.sources]
            self.bench.link(objects, self.out / programs.library_name(build))
            code = digest(*sorted({**self.bench.objects[build.name], **changed}.items()))
            late = len(differs) == 1 or (build.name in LATE_BUILDS and not self.bench.only)
            found = self.bench.try_tests(build, code, self.out, late)
            (self.out / programs.library_name(build)).unlink()
            if found:
                return ("hung" if found[0] == "hung" else "killed"), f"{build.name} {found[1]}"
            if len(differs) == self.bench.only:
                break
        # What only a compiler that does not try tells apart, and no test, is the same.
        if differs and differs != ["o8"]:
            return "survived", " ".join(differs)
        return ("same code" if self._is_compiled(mutant) else "not compiled"), ""


# --- Mutants that no test can see ---------------------------------------------------------------

def read_equivalent(path):
    """name -> argument. Names stand at the beginning of a line, their common argument follows, indented."""
    entries, names, argument = {}, [], []

    def close():
        for name in names:
            if name in entries:
                sys.exit(f"{path}: listed twice: {name}")
            entries[name] = " ".join(argument)

    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            if not names:
                sys.exit(f"{path}:{number}: an argument for nothing")
            argument.append(line.strip())
        else:
            if argument:
                close()
                names, argument = [], []
            names.append(line.strip())
    if names and not argument:
        sys.exit(f"{path}: without an argument: {names[-1]}")
    close()
    return entries


# --- The run --------------------------------------------------------------------------------------

class Progress:
    def __init__(self, total):
        self.total, self.done, self.begun, self.said = total, 0, time.time(), 0
        self.counts = collections.Counter()

    def note(self, outcome):
        self.done += 1
        self.counts[outcome] += 1
        now = time.time()
        if now - self.said < 15 and self.done < self.total:
            return
        self.said = now
        left = (now - self.begun) / self.done * (self.total - self.done)
        print(f"{self.done} of {self.total}, {self.counts['killed'] + self.counts['hung']} killed, "
              f"{self.counts['survived']} survived, {left / 60:.0f} minutes left", flush=True)


def run_all(bench, mutants, jobs, minutes):
    workers = [Worker(bench, n) for n in range(jobs)]
    free = list(workers)
    progress, lock = Progress(len(mutants)), threading.Lock()
    saved, deadline, stop = [time.time()], time.time() + 60 * minutes, threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def one(mutant):
        if stop.is_set() or time.time() > deadline:
            return "not tried", ""
        with lock:
            worker = free.pop()
        try:
            result = worker.try_mutant(mutant)
        finally:
            with lock:
                free.append(worker)
        with lock:
            progress.note(result[0])
            if result[0] == "survived":
                print(f"survived: {mutant.place} | {mutant.before}", flush=True)
            if time.time() - saved[0] > 60:
                bench.save()
                saved[0] = time.time()
        return result

    # In no order, so that what was tried stands for all where the time does not suffice.
    order = random.Random(0).sample(range(len(mutants)), len(mutants))
    outcomes = [None] * len(mutants)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for i, outcome in zip(order, pool.map(lambda i: one(mutants[i]), order)):
            outcomes[i] = outcome
    bench.save()
    return outcomes


ORDER = ("killed", "hung", "survived", "listed", "same code", "not compiled", "refused", "not tried")


def table(title, rows):
    lines = [f"{title:<12}{'mutants':>9}" + "".join(f"{o:>14}" for o in ORDER) + f"{'score':>9}"]
    for name, counts in rows:
        dead = counts["killed"] + counts["hung"]
        real = dead + counts["survived"]
        lines.append(f"{name:<12}{sum(counts.values()):>9}" + "".join(f"{counts[o]:>14}" for o in ORDER)
                     + f"{100 * dead / real if real else 100:>8.2f}%")
    return lines


def report(mutants, outcomes, entries, chosen, seconds):
    """The lines of the report, and whether everything is as it must be."""
    by_operator = collections.defaultdict(collections.Counter)
    by_file = collections.defaultdict(collections.Counter)
    total, killers = collections.Counter(), collections.Counter()
    survivors, untrue, seen = [], [], set()
    for mutant, (outcome, detail) in zip(mutants, outcomes):
        if mutant.name in entries:
            seen.add(mutant.name)
            if outcome == "survived":
                outcome = "listed"
            elif outcome != "not tried":
                untrue.append(f"{mutant.name}: {outcome} {detail}")
        elif outcome == "survived":
            survivors.append((mutant, detail))
        if outcome in ("killed", "hung"):
            killers[detail] += 1
        by_operator[mutant.operator][outcome] += 1
        by_file[mutant.file][outcome] += 1
        total[outcome] += 1
    unmatched = [name for name in entries if name not in seen and name.split()[0] in chosen]

    lines = ["Mutants of lib/ and what became of them.", "",
             "  killed        a test failed or crashed          hung          a test did not end: killed too",
             "  survived      all tests pass                    listed        so; equivalent.txt says why",
             "  same code     object code as the original       not compiled  in no build that is tested",
             "  refused       the compiler says no              not tried     for want of time",
             "  score         (killed + hung) / (killed + hung + survived)", ""]
    lines += [f"Not mutated: {name}: {why}." for name, why in NOT_MUTATED.items()] + [""]
    lines += table("operator", sorted(by_operator.items())) + [""]
    lines += table("file", sorted(by_file.items())) + [""]
    lines += table("all", [("", total)]) + [""]
    lines += [f"{count:6} by {killer}" for killer, count in killers.most_common()] + [""]
    for mutant, detail in survivors:
        lines += [f"survived in {detail}: lib/{mutant.place}", f"  - {mutant.before}", f"  + {mutant.after}",
                  f"  {mutant.name}", ""]
    lines += [f"listed as equivalent, but not so: {text}" for text in untrue]
    lines += [f"listed as equivalent, but no such mutant: {name}" for name in unmatched]
    lines.append(f"{seconds / 60:.1f} minutes")
    return lines, not untrue and not unmatched


def main():
    parser = argparse.ArgumentParser(description="Mutation testing of lib/.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--fresh", action="store_true", help="believe nothing of earlier runs")
    parser.add_argument("--builds", type=int, metavar="N", help="no more than N that a mutant changes")
    parser.add_argument("--minutes", type=float, default=1e6, help="then leave the rest untried")
    parser.add_argument("--only", action="append", metavar="TEXT",
                        help="mutants with this in their name, as the report has it; more than one may be given")
    parser.add_argument("--list", action="store_true", help="list the mutants and end")
    parser.add_argument("--output", type=pathlib.Path, default=TOP / "build" / "mutation", help="a folder")
    parser.add_argument("files", nargs="*", help="files of lib/; all of them if there are none")
    options = parser.parse_args()

    everything = sorted(p.name for p in LIB.glob("*.[ch]") if p.name not in NOT_MUTATED)
    chosen = [os.path.basename(name) for name in options.files] or everything
    for name in chosen:
        if name not in everything:
            parser.error(f"{name}: no file of lib/ that is mutated")
    def mutants_in(folder):
        return [m for name in chosen for m in mutants_of(name, (folder / name).read_text())
                if not options.only or any(text in m.name for text in options.only)]

    if options.list:
        for mutant in mutants_in(LIB):
            print(f"{mutant.place}\n  - {mutant.before}\n  + {mutant.after}")
        return 0

    begun = time.time()
    entries = read_equivalent(HERE / "equivalent.txt")
    bench = Bench(options.output.resolve(), options.fresh, options.builds)
    mutants = mutants_in(bench.lib)
    for build in QUICK + BUILDS:
        # The original must pass them all, or a failure says nothing.
        code = bench.quick.get(build.name) or digest(*sorted(bench.objects[build.name].items()))
        found = bench.try_tests(build, code, bench.library / build.name)
        if found:
            sys.exit(f"{found[1]} {found[0]} on {build.name} without any change")
    outcomes = run_all(bench, mutants, options.jobs, options.minutes)
    whole = [] if options.only else chosen
    lines, sound = report(mutants, outcomes, entries, whole, time.time() - begun)
    path = options.output / "report.txt"
    path.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    print(f"in {path}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
