# SPDX-License-Identifier: MIT
# Reads the graphs that gcc writes with -fcallgraph-info=su. Prints for each
# public function the deepest chain of calls below it, in bytes of stack. Fails
# on recursion, on stack whose size is known at run time only, and on a chain
# deeper than `limit`.

function text_of(key,   rest)
{
    rest = $0
    if (!sub(".*" key ": \"", "", rest))
        return ""
    sub(/".*/, "", rest)
    return rest
}

/^node:/ {
    title = text_of("title")
    label = text_of("label")
    if (match(label, /[0-9]+ bytes \([a-z,]+\)/)) {
        frame = substr(label, RSTART, RLENGTH)
        bytes[title] = frame + 0
        if (frame !~ /\(static\)/)
            complain(title " has stack of a size not known to the compiler: " frame)
    }
}

/^edge:/ {
    from = text_of("sourcename")
    calls[from, ++callees[from]] = text_of("targetname")
}

function complain(text)
{
    print "FAIL: " text
    bad = 1
}

# Bytes of the deepest chain that starts at `name`. The parameters after it are local.
function depth(name,   i, next_one, below, most)
{
    if (name in done)
        return done[name]
    if (name in open) {
        complain(name " can call itself")
        return 0
    }
    open[name]
    for (i = 1; i <= callees[name]; i++) {
        next_one = calls[name, i]
        below = depth(next_one)
        if (below > most) {
            most = below
            deepest[name] = next_one
        }
    }
    delete open[name]
    return done[name] = bytes[name] + most
}

function chain(name,   text)
{
    for (text = name; name in deepest; text = text " > " name)
        name = deepest[name]
    return text
}

END {
    for (name in bytes) {
        functions++
        total = depth(name)
        if (name !~ /^defrag_/)
            continue
        public++
        text = chain(name)
        gsub(/[^ ]*\//, "", text)
        printf "%6d  %s\n", total, text
        if (total > limit)
            complain(name " needs " total " bytes of stack, more than " limit)
    }
    if (!public)
        complain("no public function in the graphs")
    exit bad
}
