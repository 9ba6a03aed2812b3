#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing of lib/: changes it in every way that mutants.py knows, one change at a time, and
demands that the fast unit tests notice.

For each mutant the files it touches are compiled for each build of the library. Where the object code is the
original's there is nothing to notice. Elsewhere the mutated build is linked as a shared library, so that the
test programs stay as they are, and the tests run against it until one fails.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from mutants import mutants_of

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
LIB = TOP / "lib"

NOT_MUTATED = {
    "defrag.h": "declarations and documentation; its macros are user code, tests/test_macros.c tests them",
    "port.h": "configuration and names; it has no code of its own",
}

Build = collections.namedtuple("Build", "name library flags")
# A mutant is tried on these in this order. z8 is n8 for processors that cannot count leading zeros.
BUILDS = [
    Build("n8", "n8", "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8"),
    Build("w8", "w8", "-DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=8"),
    Build("n4", "n4", "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=4"),
    Build("n16", "n16", "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=16"),
    Build("w16", "w16", "-DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=16"),
    Build("z8", "n8", "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8 -DDF_NO_CLZ=1"),
    Build("d8", "d8", "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8 -DDEFRAG_DEBUG=1"),
]
# Programs with a library of their own, and the builds that these stand for.
OWN = {"test_callbacks": ("d8",)}

Test = collections.namedtuple("Test", "program effort seconds")
# Each with percent of the usual work, and the processor seconds, at least ten times what it needs, after
# which it is said to hang. The late ones run where the early ones found nothing; among the early ones the
# most successful goes first.
EARLY = [Test("test_" + name, 1, 1) for name in (
    "status", "random", "check", "hooks", "callbacks", "placement", "promise_budget", "promise_image",
    "promise_overhead", "promise_still", "promise_memory")]
LATE = [Test("test_random", 20, 4), Test("test_promise_memory", 20, 6), Test("test_promise_still", 20, 6)]
# Where these too have something to find; and of the other builds the first that a mutant changes.
LATE_BUILDS = ("n8", "w8", "n4")

LIB_FLAGS = "-O2 -g0 -w -std=gnu11 -fPIC -fno-semantic-interposition -fno-tree-loop-distribute-patterns"
TEST_FLAGS = "-O1 -g0 -w -std=gnu11 -D_GNU_SOURCE="


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)


def must(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout.decode(errors='replace')}")


def support_sources():
    """What the unit tests share, as their Makefile says."""
    text = (TOP / "tests/Makefile.inc").read_text()
    lists = re.findall(r"support(?:_a_SOURCES|_sources) \+?=((?:.*\\\n)*.*)", text)
    return re.findall(r"%D%/(\w+\.c)", "".join(lists))


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:24]


class Bench:
    """The original objects and libraries, the test programs, and what is known of earlier runs."""

    def __init__(self, folder, fresh):
        self.folder = folder
        self.cc = os.environ.get("CC", "gcc").split()
        self.sources = sorted(p.name for p in LIB.glob("*.c"))
        self.headers = sorted(p.name for p in LIB.glob("*.h"))
        self.objects, self.programs, self.lock = {}, {}, threading.Lock()
        self.kills = collections.Counter()
        self.results_file = folder / "results.json"
        self.results = {}
        if not fresh and self.results_file.exists():
            self.results = json.loads(self.results_file.read_text())
        folder.mkdir(parents=True, exist_ok=True)
        self.library = folder / "original"
        self._compile_originals()
        self._compile_tests()

    def flags_of(self, build):
        prefix = f"-DDEFRAG_PREFIX={build.library}_"
        return ["-DDEFRAG_BUILDING", *build.flags.split(), prefix]

    def compile(self, build, source, folder, out):
        """Compiles folder/source; the object's bytes, or None if the compiler refuses it."""
        command = [*self.cc, *LIB_FLAGS.split(), *self.flags_of(build), f"-I{folder}"]
        command += ["-c", source, "-o", out]
        if run(command, cwd=folder).returncode != 0:
            return None
        return pathlib.Path(out).read_bytes()

    def link(self, objects, out):
        must(["ld", "-shared", "-o", out, *objects])

    def _compile_originals(self):
        shutil.rmtree(self.library, ignore_errors=True)
        for build in BUILDS:
            out = self.library / build.name
            out.mkdir(parents=True)
            self.objects[build.name] = {}
            for source in self.sources:
                code = self.compile(build, source, LIB, out / (source + ".o"))
                if code is None:
                    sys.exit(f"{source} does not compile for {build.name}")
                self.objects[build.name][source] = digest(code)
            if build.name == build.library:
                objects = [out / (s + ".o") for s in self.sources]
                self.link(objects, self.library / f"libdf-{build.library}.so")

    def _compile_tests(self):
        out = self.folder / "tests"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        include = [f"-I{TOP / d}" for d in ("", "lib", "tools", "tests")]
        compile_test = [*self.cc, *TEST_FLAGS.split(), *include]
        shared = []
        for name in support_sources():
            must([*compile_test, "-c", TOP / "tests" / name, "-o", out / (name + ".o")])
            shared.append(out / (name + ".o"))
        own = {name for names in OWN.values() for name in names}
        for build in BUILDS:
            if build.name != build.library:
                continue
            inner = ["tools/build_one.c"] + ([] if build.name in own else ["tests/inside_one.c"])
            for name in inner:
                target = out / f"{build.name}-{os.path.basename(name)}.o"
                must([*compile_test, *self.flags_of(build), "-c", TOP / name, "-o", target])
                shared.append(target)
        libraries = [f"-ldf-{b.library}" for b in BUILDS if b.name == b.library]
        must([*compile_test, "-c", TOP / "tools/builds.c", "-o", out / "builds.o"])
        for name in sorted({t.program for t in EARLY + LATE}):
            test = out / (name + ".o")
            must([*compile_test, "-c", TOP / "tests" / (name + ".c"), "-o", test])
            table = [] if name in OWN else [out / "builds.o"]
            objects = [test, *table, *shared]
            must([*self.cc, "-o", out / name, *objects, f"-L{self.library}", *libraries, "-lcmocka"])
            self.programs[name] = (out / name, digest(test.read_bytes()), digest((out / name).read_bytes()))

    def save(self):
        with self.lock:
            text = json.dumps(self.results)
        temporary = self.results_file.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self.results_file)

    # --- Tests -------------------------------------------------------------------------

    def tests_of(self, build, late=True):
        def suits(test):
            return build.name in OWN.get(test.program, ()) or (
                test.program not in OWN and not any(build.name in names for names in OWN.values()))
        early = sorted(filter(suits, EARLY), key=lambda t: -self.kills[t.program])
        return early + list(filter(suits, LATE if late else []))

    def run_test(self, build, test, folder):
        """'passed', 'failed' or 'hung'."""
        environment = dict(os.environ, BUILD="" if test.program in OWN else build.library,
                           LD_LIBRARY_PATH=f"{folder}:{self.library}", DEFRAG_TEST_EFFORT=str(test.effort),
                           top_srcdir=str(TOP), top_builddir=str(TOP), CMOCKA_MESSAGE_OUTPUT="STDOUT")
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
        self.lib.mkdir(parents=True)
        self.out.mkdir()
        for name in bench.sources + bench.headers:
            shutil.copyfile(LIB / name, self.lib / name)

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
        text = (LIB / mutant.file).read_text()
        (self.lib / mutant.file).write_text(text[:mutant.start] + new + text[mutant.end:])

    def _is_compiled(self, mutant):
        self._write(mutant, " @ ")
        return any(self._compile(mutant, build) is None for build in BUILDS)

    def try_mutant(self, mutant):
        """(outcome, detail): killed, hung, refused, same code, not compiled, survived."""
        try:
            return self._try_mutant(mutant)
        finally:
            shutil.copyfile(LIB / mutant.file, self.lib / mutant.file)

    def _try_mutant(self, mutant):
        self._write(mutant, mutant.new)
        differs = []
        for build in BUILDS:
            changed = self._compile(mutant, build)
            if changed is None:
                return "refused", build.name
            if not changed:
                continue
            differs.append(build.name)
            objects = [(self.out if s in changed else self.bench.library / build.name) / (s + ".o")
                       for s in self.bench.sources]
            self.bench.link(objects, self.out / f"libdf-{build.library}.so")
            code = digest(*sorted({**self.bench.objects[build.name], **changed}.items()))
            late = len(differs) == 1 or build.name in LATE_BUILDS
            found = self.bench.try_tests(build, code, self.out, late)
            (self.out / f"libdf-{build.library}.so").unlink()
            if found:
                return ("hung" if found[0] == "hung" else "killed"), f"{build.name} {found[1]}"
        if differs:
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


def run_all(bench, mutants, jobs):
    workers = [Worker(bench, n) for n in range(jobs)]
    free = list(workers)
    progress, lock = Progress(len(mutants)), threading.Lock()
    saved = [time.time()]

    def one(mutant):
        with lock:
            worker = free.pop()
        try:
            result = worker.try_mutant(mutant)
        finally:
            with lock:
                free.append(worker)
        with lock:
            progress.note(result[0])
            if time.time() - saved[0] > 60:
                bench.save()
                saved[0] = time.time()
        return result

    # One file after another; what is killed at once goes with what takes long.
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(one, mutants))
    bench.save()
    return outcomes


ORDER = ("killed", "hung", "survived", "listed", "same code", "not compiled", "refused")


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
            else:
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
             "  refused       the compiler says no",
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
    parser.add_argument("--list", action="store_true", help="list the mutants and end")
    parser.add_argument("--output", type=pathlib.Path, default=TOP / "build" / "mutation", help="a folder")
    parser.add_argument("files", nargs="*", help="files of lib/; all of them if there are none")
    options = parser.parse_args()

    everything = sorted(p.name for p in LIB.glob("*.[ch]") if p.name not in NOT_MUTATED)
    chosen = [os.path.basename(name) for name in options.files] or everything
    for name in chosen:
        if name not in everything:
            parser.error(f"{name}: no file of lib/ that is mutated")
    mutants = [m for name in chosen for m in mutants_of(name, (LIB / name).read_text())]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.place}\n  - {mutant.before}\n  + {mutant.after}")
        return 0
    entries = read_equivalent(HERE / "equivalent.txt")

    begun = time.time()
    bench = Bench(options.output, options.fresh)
    for build in BUILDS:
        # The original must pass them all, or a failure says nothing.
        folder = bench.library / build.name
        if build.name != build.library:
            bench.link([folder / (s + ".o") for s in bench.sources], folder / f"libdf-{build.library}.so")
        found = bench.try_tests(build, digest(*sorted(bench.objects[build.name].items())), folder)
        if found:
            sys.exit(f"{found[1]} {found[0]} on {build.name} without any change")
    outcomes = run_all(bench, mutants, options.jobs)
    lines, sound = report(mutants, outcomes, entries, chosen, time.time() - begun)
    path = options.output / "report.txt"
    path.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    print(f"in {path}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
