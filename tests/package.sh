# SPDX-License-Identifier: MIT
# Sourced by the script tests that build the package anew, and by others for
# their scratch folder and their messages.

set -eu
: "${top_srcdir:?to be run by make check}" "${top_builddir:?}" "${MAKE:=make}" "${CC:=cc}"
lib=$top_srcdir/lib

# Nothing is as the one who runs the tests has it: words and numbers, widths, answers of configure.
unset LANGUAGE COLUMNS LINES CDPATH
LC_ALL=C CONFIG_SITE=/dev/null
export LC_ALL CONFIG_SITE
# Many a crash is wanted; to write it down may take long.
ulimit -c 0

# So many seconds nothing takes but what hangs, on whatever machine, however busy it is.
patience=2000

scratch=$(mktemp -d "${TMPDIR:-/tmp}/defrag-test.XXXXXX")
at_end=: # what a test has to end itself

# A process on its way out may be writing there still, which is no fault of the test.
leave() {
    status=$?
    $at_end 2>/dev/null || :
    chmod -R u+w "$scratch" 2>/dev/null || :
    rm -rf "$scratch" 2>/dev/null || { sleep 1 && rm -rf "$scratch"; } || :
    exit "$status"
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

skip() {
    echo "SKIP: $*" >&2
    exit 77
}

# until_true PID COMMAND...: waits until the command succeeds, for which that process is to see.
until_true() {
    process=$1 tries=0
    shift
    until "$@"; do
        kill -0 "$process" 2>/dev/null || "$@" || fail "it has ended, and not: $*"
        [ $((tries += 1)) -lt $((patience * 10)) ] || fail "never: $*"
        sleep 0.1
    done
}

# quietly COMMAND...: its output is shown only if it fails.
quietly() {
    "$@" >"$scratch/output" 2>&1 || {
        cat "$scratch/output" >&2
        fail "$*"
    }
}

# The files of the release tarball, as $scratch/sources.
fresh_sources() {
    quietly "$MAKE" -s -C "$top_builddir" distdir distdir="$scratch/sources"
    chmod -R u+w "$scratch/sources"
}

# configured NAME ARGUMENT...: configures in $scratch/NAME, with its output in $scratch/NAME/output.
configured() {
    name=$1
    shift
    mkdir "$scratch/$name"
    (cd "$scratch/$name" && ../sources/configure "$@" >output 2>&1)
}

# The folder lib/ defines these; each file stands once, whichever build compiles it.
lib_c_files() {
    find "$lib" -name '*.c' | LC_ALL=C sort
}

# for_each_build COMMAND...: calls it with a build's name and the macros that make it.
for_each_build() {
    for build in n4:0:4 n8:0:8 n16:0:16 w8:1:8 w16:1:16; do
        layout=${build#*:}
        "$@" "${build%%:*}" "-DDEFRAG_BUILDING -DDEFRAG_WIDE=${layout%:*} -DDEFRAG_ALIGNMENT=${layout#*:}"
    done
}

# Of the compilers named, those that are there.
compilers_of() {
    for compiler in "$@"; do
        if command -v "$compiler" >/dev/null; then
            echo "$compiler"
        else
            echo "no $compiler here" >&2
        fi
    done
}
