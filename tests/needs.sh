# SPDX-License-Identifier: MIT
# needs.sh NM ARCHIVE: prints the names that the archive needs from elsewhere
# beyond those a freestanding library may; fails if there are any.
set -eu
$1 -g "$2" | awk '
NF == 3 { defined[$3] }
NF == 2 && $1 ~ /^[Uvw]$/ { needed[$2] }
END {
    for (name in needed)
        if (!(name in defined) && name !~ /^(memcpy|memmove|memset)$/ &&
            name !~ /^_GLOBAL_OFFSET_TABLE_$/ &&
            name !~ /^__(aeabi|gnu_thumb1_case)_[a-z0-9]+$/ &&
            name !~ /^__(u?(div|mod)|mul|ashl|ashr|lshr|clz|ctz|ffs|popcount|bswap)[a-z]*[0-9]$/) {
            print name
            bad = 1
        }
    exit bad
}'
