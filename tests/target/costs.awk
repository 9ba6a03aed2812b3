# SPDX-License-Identifier: MIT
# Lays out the figures of costs.sh, lines "column<TAB>section<TAB>row<TAB>value", as doc/costs.md.

BEGIN { FS = "\t" }

{
    if (!(($2, $3) in known)) {
        known[$2, $3]
        row[$2, ++rows[$2]] = $3
    }
    value[$1, $2, $3] = $4
}

# "mean / 99th percentile / maximum": the part asked for.
function part(text, which,   parts)
{
    split(text, parts, " / ")
    return parts[which] + 0
}

function of(column, section, name)
{
    if (!((column, section, name) in value)) {
        print "costs.awk: no figure for " column ", " section ", " name >"/dev/stderr"
        failed = 1
    }
    return value[column, section, name]
}

function head(first, titles,   list, count, i, line)
{
    count = split(titles, list, ";")
    line = "| " first " |"
    for (i = 1; i <= count; i++)
        line = line " " list[i] " |"
    print line
    gsub(/[^|]+/, "---", line)
    print line
}

# All rows of a section, for the columns named; rows that match `but` are left out.
function table(section, first, columns, titles, but,   list, count, i, j, line)
{
    head(first, titles)
    count = split(columns, list, ";")
    for (i = 1; i <= rows[section]; i++) {
        if (but != "" && row[section, i] ~ but)
            continue
        line = "| " row[section, i] " |"
        for (j = 1; j <= count; j++)
            line = line " " value[list[j], section, row[section, i]] " |"
        print line
    }
    print ""
}

# goal TEXT FIGURE HARD DREAM
function goal(text, figure, hard, dream)
{
    printf "| %s | %s | %s | %s | %s |\n", text, hard, dream, figure,
        figure + 0 <= dream + 0 ? "dream" : figure + 0 <= hard + 0 ? "met" : "missed"
}

# Mean and maximum of a function of the workload, apart.
function goals(text, column, name, hard_mean, hard_most, dream_mean, dream_most,   figure)
{
    figure = of(column, "workload", name)
    goal(text ", mean", part(figure, 1), hard_mean, dream_mean)
    goal(text ", maximum", part(figure, 3), hard_most, dream_most)
}

function locking(column)
{
    return part(of(column, "workload", "defrag_lock"), 1) + part(of(column, "workload", "defrag_unlock"), 1)
}

function worst_mover(columns,   i, j, list, count, most)
{
    count = split(columns, list, ";")
    for (i = 1; i <= rows["mover"]; i++)
        for (j = 1; j <= count; j++)
            if (value[list[j], "mover", row["mover", i]] + 0 > most)
                most = value[list[j], "mover", row["mover", i]] + 0
    return most
}

function deepest(column, but,   i, most)
{
    for (i = 1; i <= rows["stack"]; i++)
        if (row["stack", i] !~ but && value[column, "stack", row["stack", i]] + 0 > most)
            most = value[column, "stack", row["stack", i]] + 0
    return most
}

function walks(   i, j, name, line, first, columns, counts, high, low)
{
    split("m3-O2;m3-Os;m0-O2;m0-Os", columns, ";")
    split("10;100;1000;5000", counts, ";")
    head("", "10 blocks;100;1,000;5,000;a block: M3 -O2;M3 -Os;M0+ -O2;M0+ -Os")
    for (i = 1; i <= rows["walk"]; i++) {
        if (row["walk", i] !~ /^1000: /)
            continue
        name = substr(row["walk", i], 7)
        line = "| " name " |"
        for (j = 1; j <= 4; j++)
            line = line " " value["m3-O2", "walk", counts[j] ": " name] " |"
        for (j = 1; j <= 4; j++) {
            high = value[columns[j], "walk", "5000: " name]
            low = value[columns[j], "walk", "1000: " name]
            line = line sprintf(" %.1f |", (high - low) / 4000)
        }
        print line
    }
    print ""
}

function per_trace(   i, name, trace, call, seen, list, count, calls)
{
    split("defrag_alloc_fast;malloc (newlib);malloc (picolibc);" \
          "defrag_free;free (newlib);free (picolibc);" \
          "defrag_resize;realloc (newlib);realloc (picolibc)", calls, ";")
    head("", "alloc_fast;newlib;picolibc;free;newlib;picolibc;resize;newlib;picolibc")
    for (i = 1; i <= rows["trace"]; i++) {
        trace = row["trace", i]
        sub(/:.*/, "", trace)
        if (trace in seen)
            continue
        seen[trace]
        printf "| %s |", trace
        for (call = 1; call <= 9; call++)
            printf " %s |", value["m3-O2", "trace", trace ": " calls[call]]
        print ""
    }
    print ""
}

function constants(   i, name)
{
    head("", "M3 -O2;M3 -Os;M0+ -O2;M0+ -Os")
    for (i = 1; i <= rows["walk"]; i++) {
        if (row["walk", i] !~ /^0: def/)
            continue
        name = row["walk", i]
        printf "| %s | %s | %s | %s | %s |\n", substr(name, 4), value["m3-O2", "walk", name],
            value["m3-Os", "walk", name], value["m0-O2", "walk", name], value["m0-Os", "walk", name]
    }
    print ""
}

END {
    plain = "m3-O2;m3-Os;m0-O2;m0-Os"
    plain_titles = "Cortex-M3 -O2;Cortex-M3 -Os;Cortex-M0+ -O2;Cortex-M0+ -Os"
    minimal = "a program with init, alloc_fast, free, lock, unlock, compact_step"

    print "<!-- SPDX-License-Identifier: MIT -->"
    print "# What calls cost on a Cortex-M"
    print ""
    print "Measured by `make costs`, which prints this text. `tests/test_costs.sh` fails where a figure of"
    print "the library's has grown by more than 2 % and this text has not been made anew."
    print ""
    print "Instructions, not cycles, from a function's first to the one before its return, on QEMU's"
    print "Cortex-M3; the code of the Cortex-M0+ runs on the same board. Where three figures stand together"
    print "they are mean / 99th percentile / maximum. Narrow layout, alignment 8, no configuration."
    print "*Hardened* is a build with `--enable-hardening`."
    print ""
    print "Compiler: " compiler
    print ""

    print "## Goals"
    print ""
    head("", "goal;dream;today;")
    goals("`alloc_fast`, Cortex-M3 -O2, workload", "m3-O2", "defrag_alloc_fast", 70, 100, 60, 80)
    goal("`alloc_fast`, Cortex-M3 -O2, any heap, the table growing",
         of("m3-O2", "worst", "defrag_alloc_fast, a new slot") + 0, 130, 130)
    goals("`free`, Cortex-M3 -O2", "m3-O2", "defrag_free", 65, 85, 50, 75)
    goals("`alloc_fast`, Cortex-M3 -Os", "m3-Os", "defrag_alloc_fast", 78, 105, 66, 86)
    goals("`free`, Cortex-M3 -Os", "m3-Os", "defrag_free", 70, 90, 62, 80)
    goal("`lock` and `unlock`, Cortex-M3 -O2", locking("m3-O2"), 28, 24)
    goals("`alloc_fast`, Cortex-M0+ -Os", "m0-Os", "defrag_alloc_fast", 130, 180, 110, 150)
    goals("`free`, Cortex-M0+ -Os", "m0-Os", "defrag_free", 110, 140, 95, 120)
    goal("`lock` and `unlock`, Cortex-M0+ -Os", locking("m0-Os"), 36, 28)
    goal("mover, 1 KiB, the worst of Cortex-M3, instructions a byte", worst_mover("m3-O2;m3-Os"), 0.20, 0.16)
    goal("text of " minimal ", Cortex-M3 -Os", of("m3-Os", "text", minimal), 2048, 1536)
    goal("text of the whole library, Cortex-M3 -Os", of("m3-Os", "text", "the whole library"), 6144, 4096)
    goal("stack, the deepest call, Cortex-M3 -Os", deepest("m3-Os", "^$"), 160, 96)
    goal("control block, statistics included, bytes", of("m3-O2", "walk", "0: control block, bytes"),
         320, 160)
    goal("refused by `alloc_fast` at 80 %, of 50,000 operations",
         of("m3-O2", "workload", "refused by defrag_alloc_fast at 80 %"), 2900, 0)
    print ""

    print "## The workload"
    print ""
    print "50,000 operations of the workload of `tools/workload.h` at 70 % of a pool of 64 KiB, payloads"
    print "written and verified, each figure the worst of three seeds (hardened, and at 90 %: of one)."
    print "`defrag_alloc` and its like take turns in a run of their own; what they zero is subtracted. What walks"
    print "or moves is called once in 250 operations of another, `defrag_compact` and `defrag_scramble` in 1,000."
    print "newlib's `malloc` and picolibc's ran the same in the same image, in heaps that may grow. The last"
    print "rows: at 90 %, where blocks have to move; and how many requests `alloc_fast` refused."
    print ""
    table("workload", "", plain ";m3-O2-hardened;m3-Os-hardened",
          plain_titles ";Cortex-M3 -O2, hardened;Cortex-M3 -Os, hardened", "")

    print "## Real programs"
    print ""
    print "The traces of `traces/`, in pools that are an eighth larger than their most live bytes: the mean"
    print "over all, 99th percentile and maximum of the worst. `defrag_alloc` is called where"
    print "`defrag_alloc_fast` was refused."
    print ""
    table("traces", "", plain, plain_titles, "")
    print "### Cortex-M3 -O2, by trace"
    print ""
    per_trace()

    print "## Heaps built to be bad"
    print ""
    print "The maximum over heaps of 10, 100, 1,000 and 5,000 blocks, made so that all bins of the sizes that"
    print "are there are in use, every split and merge happens, and the table grows. On each of the four it"
    print "is that but for 10 % (the rarest coincidence is not met on all), else there would be no table."
    print ""
    table("worst", "", plain, plain_titles, "")
    print "Once in a program's life, whatever the pool:"
    print ""
    constants()

    print "## What walks or moves"
    print ""
    print "On heaps where blocks and holes of 32 bytes alternate together: instructions, Cortex-M3 -O2. The"
    print "last four columns are what each further block costs."
    print ""
    walks()
    print "### Moving a block of 1 KiB, instructions a byte"
    print ""
    table("mover", "", plain, plain_titles, "")

    print "## Bytes of code"
    print ""
    table("text", "text", plain ";m4-O2;m4-Os;m33-O2;m33-Os;m3-O2-hardened;m3-Os-hardened",
          "M3 -O2;M3 -Os;M0+ -O2;M0+ -Os;M4 -O2;M4 -Os;M33 -O2;M33 -Os;M3 -O2, hardened;M3 -Os, hardened", "")
    print "### By capability"
    print ""
    print "What each adds to a program that links those above it, by `--gc-sections`: all of the library together."
    print ""
    table("capability", "", plain, plain_titles, "")
    print "### By function: its own / with all of the library that it needs"
    print ""
    table("function", "", plain, plain_titles, "")

    print "## Bytes of stack, the deepest chain of calls"
    print ""
    table("stack", "", plain, plain_titles, "")

    print "## Bytes in the pool"
    print ""
    head("", "bytes")
    printf "| control block | %s |\n", of("m3-O2", "walk", "0: control block, bytes")
    printf "| a block: header and slot | %s |\n", of("m3-O2", "walk", "0: header and slot of a block, bytes")
    exit failed
}
