# SPDX-License-Identifier: MIT
"""The unit tests beside the builds of lib/ as shared libraries, which can be replaced one by one."""
import collections
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
LIB = TOP / "lib"

# A build, and the library that it takes the place of: z8 is n8 for processors that cannot count leading
# zeros. The hardened builds have an h in front.
Build = collections.namedtuple("Build", "name library flags")
LAYOUTS = {"n8": "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8", "w8": "-DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=8",
           "n4": "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=4", "n16": "-DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=16",
           "w16": "-DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=16"}
HARDENED = " -DDEFRAG_HARDENING=1 -DBUILD_KIND=h"
BUILDS = ([Build(name, name, flags) for name, flags in LAYOUTS.items()]
          + [Build("h" + name, "h" + name, flags + HARDENED) for name, flags in LAYOUTS.items()]
          + [Build("z8", "n8", LAYOUTS["n8"] + " -DDF_NO_CLZ=1"),
             # Not optimised: there a division by 0 is one.
             Build("o8", "n8", LAYOUTS["n8"] + " -O0"),
             Build("d8", "d8", LAYOUTS["n8"] + " -DDEFRAG_DEBUG=1")])
# What AddressSanitizer and Valgrind are told, which changes nothing where the latter does not run.
WATCHED = [Build("v8", "n8", LAYOUTS["n8"] + " -DDEFRAG_VALGRIND=1"),
           Build("v4", "n4", LAYOUTS["n4"] + " -DDEFRAG_VALGRIND=1")]
LIBRARIES = [build for build in BUILDS if build.name == build.library]

# Compiled by tcc in no time, all files at once, for a first look at a change. It knows attributes, but must
# be told to say so; and not these two functions.
SWAP = "((x) >> 24 | ((x) >> 8 & 0xff00) | ((x) & 0xff00) << 8 | (x) << 24)"
TCC = ["tcc", "-w", "-shared", "-DDEFRAG_BUILDING", "-D__GNUC__=4", "-DDF_NO_CLZ=1", f"-D__builtin_bswap32(x)={SWAP}"]
QUICK = [Build("t" + build.name, build.library, build.flags) for build in BUILDS if build.name in ("n8", "hn8", "w8")]

# Programs that bring a build of their own, and which; all others run over each of the other builds.
OWN = {"test_callbacks": ("d8",)}

# Programs of the public macros, which are no part of a build.
NOT_OVER_BUILDS = ("test_macros", "test_macros_c99")

LIB_FLAGS = "-g0 -w -std=gnu11 -fPIC -DDEFRAG_BUILDING"
TEST_FLAGS = "-O1 -g0 -w -std=gnu11 -D_GNU_SOURCE="


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)


def must(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{done.stdout.decode(errors='replace')}")
    return done.stdout


def prefix_of(build):
    return f"-DDEFRAG_PREFIX={build.library}_"


def lib_sources():
    return sorted(p.name for p in LIB.glob("*.c"))


def lib_command(build, folder):
    """The arguments, but for the compiler's name, that compile sources of `folder` for a build."""
    return [*LIB_FLAGS.split(), *build.flags.split(), prefix_of(build), f"-I{folder}", "-c"]


def tcc_command(build, folder, out):
    """Makes the library of a quick build of the sources of `folder`, which is where it has to run."""
    return [*TCC, *build.flags.split(), prefix_of(build), *(p.name for p in sorted(folder.glob("*.c"))), "-o", out]


def library_name(build):
    return f"libdf-{build.library}.so"


def suits(program, build):
    """Whether the program has something to say of the build."""
    if program in OWN:
        return build.library in OWN[program]
    return not any(build.library in names for names in OWN.values())


def support_sources():
    """What the unit tests share, as their Makefile says."""
    text = (TOP / "tests/Makefile.inc").read_text()
    lists = re.findall(r"support(?:_a_SOURCES|_sources) \+?=((?:.*\\\n)*.*)", text)
    return re.findall(r"%D%/(\w+\.c)", "".join(lists))


def unit_tests():
    """The programs that run over the builds, as the Makefile lists them."""
    text = (TOP / "tests/Makefile.inc").read_text()
    listed = re.search(r"^unit_tests =((?:.*\\\n)*.*)", text, re.M).group(1)
    return [name for name in re.findall(r"%D%/(\w+)", listed) if name not in NOT_OVER_BUILDS]


def sources_of(program):
    """As the Makefile says; replay_calls is fuzz/fuzz_calls.c over the committed inputs, and so on."""
    if program.startswith("replay_"):
        return ["fuzz/fuzz.c", "fuzz/input.c", "fuzz/replay.c", f"fuzz/fuzz_{program[len('replay_'):]}.c"]
    text = (TOP / "tests/Makefile.inc").read_text()
    listed = re.search(rf"^%C%_{program}_SOURCES =((?:.*\\\n)*.*)", text, re.M)
    if listed:
        return re.findall(r"\S+\.c\b", listed.group(1).replace("%D%", "tests"))
    return [f"tests/{program}.c"]


def compile_tests(compiler, names, out, libraries):
    """Makes out/NAME of each test, linked with the shared libraries of that folder."""
    include = [f"-I{TOP / d}" for d in ("", "lib", "tools", "tests")]
    command = [*compiler, *TEST_FLAGS.split(), *include]

    def compile_one(source, target, *flags):
        must([*command, *flags, "-c", TOP / source, "-o", out / target])
        return out / target

    shared = [compile_one(f"tests/{source}", source + ".o") for source in support_sources()]
    shared.append(compile_one("tools/builds.c", "builds.o"))
    for build in LIBRARIES:
        flags = [*build.flags.split(), "-DDEFRAG_BUILDING", prefix_of(build)]
        shared.append(compile_one("tools/build_one.c", f"{build.name}-build.o", *flags))
        shared.append(compile_one("tools/slide_one.c", f"{build.name}-slide.o", *flags))
        if build.name in LAYOUTS:
            shared.append(compile_one("tests/inside_one.c", f"{build.name}-inside.o", *flags))
    # An archive, so that a program can have a list of builds of its own.
    must(["ar", "cr", out / "libshared.a", *shared])
    link = [out / "libshared.a", f"-L{libraries}", *(f"-ldf-{build.library}" for build in LIBRARIES), "-lcmocka"]
    for name in names:
        own = [compile_one(source, f"{name}-{i}.o") for i, source in enumerate(sources_of(name))]
        must([*compiler, "-o", out / name, *own, *link])


def environment(program, build, effort, *folders):
    """What a program needs to run over one build, whose libraries are in the folders."""
    return dict(os.environ, BUILD="" if program in OWN else build.library,
                LD_LIBRARY_PATH=":".join(map(str, folders)), DEFRAG_TEST_EFFORT=str(effort),
                top_srcdir=str(TOP), CMOCKA_MESSAGE_OUTPUT="STDOUT")
