# SPDX-License-Identifier: MIT
# A report on a radio gateway's log: traffic, presence and battery of each node.
function minutes(clock,   part) {
    split(clock, part, ":")
    return part[1] * 60 + part[2]
}

function remember(node, text) {
    last[node] = last[node] " " text
    if (length(last[node]) > 60)
        last[node] = substr(last[node], index(last[node], " ") + 1)
}

{
    node = $2
    count[node]++
    by_minute[minutes($1), node]++
    for (i = 4; i <= NF; i++) {
        split($i, pair, "=")
        value[node, pair[1]] = pair[2]
        total[pair[1]] += pair[2]
    }
    remember(node, $3)
}

$3 == "join" { present[node] = $1 }

$3 == "leave" {
    if (node in present)
        stays[node] = stays[node] sprintf("%s-%s ", present[node], $1)
    delete present[node]
    for (key in value)
        if (index(key, node) == 1)
            delete value[key]
}

END {
    for (node in count) {
        gsub(/data/, "d", last[node])
        line = sprintf("%s %4d %s|%s", node, count[node], last[node], toupper(stays[node]))
        report[++lines] = line
    }
    for (i = 2; i <= lines; i++) {
        line = report[i]
        for (j = i - 1; j > 0 && report[j] > line; j--)
            report[j + 1] = report[j]
        report[j + 1] = line
    }
    for (i = 1; i <= lines; i++)
        print report[i]
    for (key in by_minute)
        busiest = by_minute[key] > busiest ? by_minute[key] : busiest
    print total["bytes"], total["retry"], busiest
}
