# SPDX-License-Identifier: MIT
# Wrong programs are reported at the wrong line by AddressSanitizer, of gcc and of
# clang, and by Valgrind, as tests/misuse_run.txt demands; right ones by none. What
# was seen is the table in doc/misuse.md, before the one that tests/test_misuse.sh
# prints; with --table both are printed instead.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=.}"
. "$top_srcdir/tests/package.sh"
: "${SHELL:=/bin/sh}"
cd "$scratch"
tab=$(printf '\t')

# Splits the list: cases.c with all programs; and "cases", a line for each: number, kind, first
# and last line, line of the mistake or 0, what AddressSanitizer and Valgrind say, the name.
awk -v OFS='\t' '
function emit(text) { print text >"cases.c"; line++ }
function finish() {
    if (!number)
        return
    emit("}")
    print number, kind, first, line, wrong_line, asan, valgrind, name >"cases"
    table = table " case_" number ","
}
FNR == NR {
    emit($0)
    if (/WRONG/)
        hook_line = line
    next
}
/^#/ { next }
/^== / {
    finish()
    number++
    kind = name = $0
    sub(/^== /, "", kind)
    sub(/:.*/, "", kind)
    sub(/^== [a-z]*: /, "", name)
    asan = valgrind = "-"
    wrong_line = 0
    first = line + 1
    emit("static void case_" number "(defrag_pool *pool)")
    emit("{")
    next
}
/^asan: / { asan = substr($0, 7); next }
/^valgrind: / { valgrind = substr($0, 11); next }
/^    / {
    emit($0)
    if (/WRONG/)
        wrong_line = line
    if (/read_old_place/)
        wrong_line = hook_line
    next
}
NF { print "not understood: " $0; bad = 1 }
END {
    finish()
    emit("static void (*const cases[])(defrag_pool *) = {" table "};")
    emit("int main(int argc, char **argv) { return run_cases(argc, argv, cases, " number "); }")
    exit bad
}' "$top_srcdir/tests/misuse_run.c" "$top_srcdir/tests/misuse_run.txt" || fail "tests/misuse_run.txt"
count=$(wc -l <cases)

# Where addresses are at random with many bits, these versions of AddressSanitizer do not always find room.
steady=
! setarch -R true 2>/dev/null || steady='setarch -R'

bad=0
complain() {
    echo "FAILED: $*"
    bad=1
}

macros() { # macros NAME: those that make the build of that name
    case $1 in
    n8) echo -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8 ;;
    n16) echo -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=16 ;;
    w8) echo -DDEFRAG_BUILDING -DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=8 ;;
    w16) echo -DDEFRAG_BUILDING -DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=16 ;;
    esac
}

# built NAME COMPILER FLAG...: that build of the library and the cases, in one program. The cases
# are not optimised: gcc else leaves out the check of an address that it has checked before.
built() {
    program=$1
    shift
    quietly "$@" -g -O0 -I"$lib" -c -o "$program.o" cases.c
    mkdir "$program-lib"
    (cd "$program-lib" && quietly "$@" -g -O1 -I"$lib" $(macros "${program##*-}") -c $(lib_c_files)) || exit 1
    quietly "$@" -o "$program" "$program.o" "$program"-lib/*.o
}

# --- AddressSanitizer: each case in a process of its own

asan_kind() { # what it called the mistake; nothing if it said nothing
    sed -n 's/.*ERROR: AddressSanitizer: \([^ ]*\).*/\1/p' "$1" | head -n 1
}

asan_line() { # the innermost line of a case in the report
    sed -n 's/^ *#[0-9]* .* in [a-z_0-9]* .*cases\.c:\([0-9]*\).*/\1/p' "$1" | head -n 1
}

judge_asan() { # judge_asan NAME: of all cases
    while IFS=$tab read -r number kind first last wrong asan valgrind title; do
        ASAN_OPTIONS=detect_leaks=0 $steady "./$1" "$number" >said 2>&1 || :
        called=$(asan_kind said)
        if [ "$asan" = - ]; then
            [ -z "$called" ] || complain "$1: $kind: $title: AddressSanitizer says $called"
            grep -qx 'all done' said || complain "$1: $kind: $title: it does not run to its end"
            echo - >>"$1.cells"
            continue
        fi
        echo yes >>"$1.cells"
        echo "$called" | grep -Eqx "$asan" || complain "$1: $title: AddressSanitizer says ${called:-nothing}"
        [ "$(asan_line said)" = "$wrong" ] || complain "$1: $title: at line $(asan_line said), not $wrong"
    done <cases
}

has_asan() {
    echo 'int main(void) { return 0; }' >empty.c
    "$1" -fsanitize=address -o empty empty.c >/dev/null 2>&1 && $steady ./empty
}

# The program of the README and the examples that are programs: right ones; the exit status tells.
judge_examples() { # judge_examples COMPILER
    for source in readme.c $(printf '%s\n' "$top_srcdir"/examples/*.txt | sed 's/txt$/c/'); do
        for name in n8 w16; do
            quietly "$1" -g -O1 -fsanitize=address -I"$lib" $(macros $name) -o example "$source" "asan-$1-$name-lib"/*.o
            $steady ./example >said 2>&1 || complain "$1: $(basename "$source"): $(cat said)"
        done
    done
}
awk '$0 == "```c" { inside = 1; next } inside && /^```/ { exit } inside' "$top_srcdir/README.md" >readme.c

# --- Valgrind: all cases in one process, which goes on after a report

# A line for each report: the innermost line of a case in it, a tab, and its text.
valgrind_reports() {
    awk '
    function finish() { if (at) print at "\t" text; text = ""; at = 0 }
    !/^==[0-9]+==/ { next }
    { sub(/^==[0-9]+== ?/, "") }
    !NF { finish(); next }
    { text = text " " $0 }
    !at && match($0, /\(cases\.c:[0-9]+\)/) { at = substr($0, RSTART + 9, RLENGTH - 10) }
    END { finish() }' "$1"
}

judge_valgrind() { # judge_valgrind NAME: of all cases
    valgrind --error-limit=no "./$1" >"$1.out" 2>&1 || :
    grep -q 'all done' "$1.out" || { cat "$1.out"; fail "$1 does not run to its end"; }
    valgrind_reports "$1.out" >"$1.reports"
    while IFS=$tab read -r number kind first last wrong asan valgrind title; do
        awk -F'\t' -v first="$first" -v last="$last" -v wrong="$wrong" \
            '$1 == wrong || ($1 >= first && $1 <= last)' "$1.reports" >said
        if [ "$valgrind" = - ]; then
            [ ! -s said ] || complain "$1: $kind: $title: Valgrind says $(cat said)"
            echo - >>"$1.cells"
            continue
        fi
        echo yes >>"$1.cells"
        grep -Eq "^$wrong$tab.*$valgrind" said || complain "$1: $title: Valgrind says, not at line $wrong: $(cat said)"
        [ "$(cut -f 1 said | sort -u)" = "$wrong" ] || complain "$1: $title: Valgrind reports other lines: $(cat said)"
    done <cases
}

has_valgrind() {
    command -v valgrind >/dev/null && echo '#include <valgrind/memcheck.h>' | $CC -E - >/dev/null 2>&1
}

# --- Compilers and statuses

judge_warnings() { # judge_warnings COMPILER FLAG...: the options that warn of each case
    LC_ALL=C "$@" -Wall -Wextra -I"$lib" -c -o warned.o cases.c 2>"$1.out" || { cat "$1.out"; fail "$1"; }
    while IFS=$tab read -r number kind first last wrong asan valgrind title; do
        options=$(awk -F: -v first="$first" -v last="$last" '/warning: / && $2 >= first && $2 <= last' "$1.out" |
            sed -n 's/.*\[\(-W[^]]*\)\]$/\1/p' | sort -u | paste -sd ' ' -)
        echo "${options:--}" >>"$1.cells"
        [ "$kind" = wrong ] || [ -z "$options" ] || complain "$1: right: $title: $options"
    done <cases
}

judge_plain() { # judge_plain NAME: what the library answers; and what scrambling shows that did not show without
    while IFS=$tab read -r number kind first last wrong asan valgrind title; do
        "./$1" "$number" scramble >scrambled 2>&1 || :
        "./$1" "$number" >said 2>&1 || :
        status=$(sed -n 's/^status //p' said | head -n 1)
        echo "${status:--}" >>"$1.cells"
        if grep -q 'other contents' scrambled; then echo yes; else echo -; fi >>"$1.scrambled"
        [ "$kind" = wrong ] || [ -z "$status" ] || complain "$1: right: $title: answers $status"
    done <cases
}

# --- All of it

tools=0
for compiler in $(compilers_of gcc clang); do
    has_asan "$compiler" || { echo "NOTE: $compiler has no AddressSanitizer here"; continue; }
    tools=$((tools + 1))
    for name in n8 n16 w8 w16; do
        built "asan-$compiler-$name" "$compiler" -fsanitize=address
        judge_asan "asan-$compiler-$name"
    done
    judge_examples "$compiler"
    case $compiler in
    gcc) judge_warnings gcc -std=c11 -O2 ;;
    clang) judge_warnings clang -std=c11 -Wthread-safety ;;
    esac
done
if has_valgrind; then
    tools=$((tools + 1))
    for name in n8 w16; do
        built "valgrind-$name" $CC -DDEFRAG_VALGRIND=1
        judge_valgrind "valgrind-$name"
    done
fi
built plain-n8 $CC
judge_plain plain-n8
[ "$tools" -gt 0 ] || skip "neither gcc nor clang has AddressSanitizer here, and Valgrind is missing"

# What was seen, where everything is here to see it.
if [ "$tools" -eq 3 ]; then
    {
        printf '| misuse | gcc | clang | status | ASan | Valgrind | scramble |\n|---|---|---|---|---|---|---|\n'
        cut -f 2,8 cases | paste - gcc.cells clang.cells plain-n8.cells asan-clang-n8.cells valgrind-n8.cells plain-n8.scrambled |
            sed -n "s/^wrong$tab//p" | sed -e "s/$tab/ | /g" -e 's/.*/| & |/'
        echo
        "$SHELL" "$top_srcdir/tests/test_misuse.sh" --table |
            awk -F'\t' '{ print "| " $1 " | " $2 " | " $3 " | " $4 " | " $5 " |" } NR == 1 { print "|---|---|---|---|---|" }'
    } >table
    if [ "${1-}" = --table ]; then
        cat table
        exit "$bad"
    fi
    grep '^|' "$top_srcdir/doc/misuse.md" >documented
    grep '^|' table | diff documented - || complain "the tables of doc/misuse.md (<) say other things than what was seen"
else
    echo "NOTE: gcc, clang or Valgrind is missing: the table in doc/misuse.md is not compared"
fi
echo "$count programs, $tools of 3 tools"
[ "$bad" -eq 0 ]
