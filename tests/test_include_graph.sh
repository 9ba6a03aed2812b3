# SPDX-License-Identifier: MIT
# A file of lib/ includes only what stands left of it in the order of modules.
. "${top_srcdir:?}/tests/package.sh"

awk '
BEGIN {
    layers = split("port bits,watch control block,table bins heap check,guard mover slide,scramble gather,plan room lock,compact " \
                   "alloc,resize stats,walk,version pool", layer, " ")
    for (i = 1; i <= layers; i++) {
        modules = split(layer[i], module, ",")
        for (j = 1; j <= modules; j++)
            rank[module[j]] = i
    }
    rank["defrag"] = 0
    known = "<stddef.h> <stdint.h> <stdbool.h> <string.h> <limits.h>"
    sanitizers = " <sanitizer/asan_interface.h> <valgrind/memcheck.h>"
}

function complain(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text
    bad = 1
}

FNR == 1 {
    self = FILENAME
    gsub(/.*\/|\.[ch]$/, "", self)
    if (!(self in rank))
        complain("the module " self " has no place in the order")
    files++
}

/^[ \t]*#[ \t]*include/ {
    target = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
    sub(/>.*/, ">", target)
    if (target ~ /^</ && target != "<defrag.h>") {
        if (!index(known (self == "watch" ? sanitizers : ""), target))
            complain("includes " target ", which a freestanding library has not")
        next
    }
    gsub(/["<>]|\.h.*/, "", target)
    own = (target == self && FILENAME ~ /\.c$/)
    if (!(target in rank))
        complain("includes the unknown " target ".h")
    else if (!own && rank[target] >= rank[self])
        complain("includes " target ".h, which does not stand left of it")
    edges++
}

END {
    if (!files || !edges) {
        print "nothing was looked at"
        exit 1
    }
    printf "%d files, %d includes\n", files, edges
    exit bad
}' "$lib"/*.[ch] || fail "the order of modules is broken"
