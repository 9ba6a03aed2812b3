# SPDX-License-Identifier: MIT
# cppcheck with its MISRA C:2012 addon finds nothing in lib/ but the deviations
# of doc/misra.md, and each of those still occurs where that says. With --counts
# it ends with the number of places of each rule.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=.}"
. "$top_srcdir/tests/package.sh"
command -v cppcheck >/dev/null || skip "no cppcheck here; on Debian: apt-get install cppcheck"
cd "$top_srcdir"

checked_with=2.10
version=$(cppcheck --version | sed 's/.* //')

# What is known to be true is so in this build: options of the build are constants in conditions.
#
# found NAME PLATFORM MACRO...: lines "file:line id message". On a copy: cppcheck writes beside the sources.
found() {
    mkdir "$scratch/$1"
    cp -r "$lib" "$scratch/$1/lib"
    chmod -R u+w "$scratch/$1"
    cd "$scratch/$1"
    platform=$2
    shift 2
    cppcheck --quiet --addon=misra --enable=warning,style,performance,portability --inconclusive \
        --suppress=missingIncludeSystem --suppress=knownConditionTrueFalse --std=c11 --platform="$platform" -Ilib \
        --template='{file}:{line} {id} {message}' -DDEFRAG_BUILDING -D__GNUC__=12 -D__STDC_VERSION__=201112L \
        -U__clang__ -U__cplusplus -UDEFRAG_PREFIX "$@" lib/*.c >findings 2>&1 ||
        fail "cppcheck $* does not run"
}

# The other three builds differ from these in constants alone.
(found narrow unix32 -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=4 -DDEFRAG_DEBUG=1 -DDEFRAG_HARDENING=1) &
narrow=$!
(found wide unix64 -DDEFRAG_WIDE=1 -DDEFRAG_ALIGNMENT=8 -DDEFRAG_DEBUG=0 -DDEFRAG_HARDENING=0)
wait $narrow || fail "cppcheck does not run"
cat "$scratch/narrow/findings" "$scratch/wide/findings" | LC_ALL=C sort -u >"$scratch/findings"
grep -q ' misra-c2012-' "$scratch/findings" || {
    cat "$scratch/findings"
    fail "the MISRA addon found nothing at all; does it run?"
}

awk -v counts="${1-}" '
BEGIN {
    # No deviation from these is allowed.
    split("9.1 12.5 13.6 17.3 17.4 17.6 17.9 18.10 19.1 21.13 21.17 21.18 21.19 21.20 21.22 22.2 22.4 22.5 " \
          "22.6 22.20", list, " ")
    for (i in list)
        mandatory[list[i]]
}

function complain(text)
{
    print "FAIL: " text
    bad = 1
}

# doc/misra.md: | rule | category | files, or throughout | reason |
FNR == NR {
    if (split($0, cell, / *\| */) < 5 || cell[2] !~ /^[0-9]+\.[0-9]+$/)
        next
    rule = cell[2]
    if (rule in listed)
        complain("rule " rule " is listed twice")
    listed[rule]
    if (rule in mandatory || cell[3] !~ /^(required|advisory)$/)
        complain("rule " rule " is listed, and is not required or advisory")
    files = split(cell[4], file, ", ")
    for (i = 1; i <= files; i++)
        allowed[rule, file[i]]
    next
}

{
    name = $1
    gsub(/^lib\/|:.*/, "", name)
    rule = $2
    if (!sub(/^misra-c2012-/, "", rule)) {
        complain($0)
        next
    }
    places[rule]++
    if ((rule, name) in allowed)
        seen[rule, name]
    else if ((rule, "throughout") in allowed)
        seen[rule, "throughout"]
    else
        complain("rule " rule " at " $1 " is no deviation that doc/misra.md lists")
}

END {
    for (key in allowed)
        if (!(key in seen)) {
            split(key, part, SUBSEP)
            complain("doc/misra.md lists rule " part[1] " in " part[2] ", where it no longer occurs")
        }
    for (rule in places) {
        rules++
        all += places[rule]
        if (counts)
            print places[rule], rule | "sort -rn"
    }
    close("sort -rn")
    printf "%d places, %d rules\n", all, rules
    exit bad
}' doc/misra.md "$scratch/findings" >"$scratch/report" && exit_status=0 || exit_status=$?
cat "$scratch/report"
if [ "$version" != "$checked_with" ]; then
    echo "NOTE: doc/misra.md was made with cppcheck $checked_with, this is $version; differences do not count"
    exit 0
fi
[ "$exit_status" -eq 0 ] || fail "MISRA C:2012"
