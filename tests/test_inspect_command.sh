# SPDX-License-Identifier: MIT
# `defrag-bench inspect`: what it tells of sound and damaged dumps, files that are none, output that cannot be written.
. "${top_srcdir:?}/tests/tool.sh"
cd "$scratch"

# tells STATUS ARGUMENT...: and nothing is said.
tells() {
    wanted=$1
    shift
    gives "$wanted" inspect "$@"
    quiet
}

# changed FROM TO OFFSET BYTES: a copy with other bytes from there on, given as for printf.
changed() {
    cp "$1" "$2"
    printf "$4" | dd of="$2" bs=1 seek="$3" conv=notrunc 2>/dev/null
}

# where FIELD: its place in the control block of a narrow pool.
where() {
    printf '#include "control.h"\n#include <stdio.h>\nint main(void) { return printf("%%zu", offsetof(defrag_pool, %s)) < 1; }\n' \
        "$1" >where.c
    $CC -DDEFRAG_WIDE=0 -I"$lib" -o where where.c && ./where
}

# The dump of a program's pool, in both layouts.
dump_of() {
    case $1 in n8 | w8) ;; *) return 0 ;; esac
    $CC $2 -I"$lib" -o "device-$1" "$top_srcdir/tests/device/device.c" $(lib_c_files) || fail "device.c, build $1"
    "./device-$1" "$1" || fail "the program that dumps its pool, build $1"
}
for_each_build dump_of

# --- What it is for -----------------------------------------------------------

tells 0 n8
prints '^n8: a pool of 4,096 bytes at byte 0; narrow layout, alignment 8$'
prints '^Sound: every invariant holds\.$'
prints '^live_blocks  *3$'
prints '^locked_blocks  *2$'
prints '^0x134  *48  *free'
prints '^0x164  *104  *used  *2 *0x00020000  *-  *0x168  *100  *8$'
prints 'used  *3 *0x00030000 *exclusive'
prints 'used  *4 *0x00040000  *2 shared'
prints '^1  *0x0001[0-9a-f]*  *1  *empty  *last$'
prints ' ccc*\.\.\.\.\.\.+##*LLLL*$'
tells 0 w8
prints 'wide layout, alignment 8$'
tells 0 --address=0x20000000 n8
prints '^0x20000164  *104  *used  *2 *0x00020000  *-  *0x20000168 '
prints '^top_offset  *0x200002'
! grep -q 'modulo' output || fail "an address that fits is doubted"
tells 0 --address=0x20000008 n8
prints 'says that its address was 0 modulo 1024; 0x20000008 is not'

# --- Maps as wide as the terminal -------------------------------------------------

for columns in 20 40 80 132 200; do
    COLUMNS=$columns tells 0 n8
    width=$(sed -n '/a cell:/,/^$/p' output | awk 'NR > 2 && length > w { w = length } END { print w }')
    [ "$width" -le "$columns" ] || [ "$columns" -lt 28 ] || fail "a map of $width columns, where there are $columns"
done

# --- Damage ----------------------------------------------------------------------

# damaged PATTERN FILE
damaged() {
    tells 1 "$2"
    prints "^DAMAGED at $1"
    [ "$(grep -c '^DAMAGED' output)" = 1 ] || fail "more than one verdict"
    ! grep -q '^STATISTICS' output || fail "statistics of a damaged pool"
}

changed n8 busy 15 '\001'
damaged '0xf: .*in the middle of a move' busy
changed n8 header 356 '\377\377\377\377'
damaged '0x164: the header ' header
prints 'unreadable'
prints 'used  *4 *0x00040000  *2 shared' # what lies behind is found again
prints ' ccc*\.\.\.\.\.\.??*L'
changed n8 swept 308 "$(printf '\\000%.0s' $(seq 400))"
damaged '0x134: the chain of blocks ends' swept
changed n8 counts "$(where skipped)" '\377'
damaged '.*: 255 bytes skipped' counts
changed n8 host 0 '\336\255\276\357\336\255\276\357'
tells 0 host
prints '^Configuration: at 0xefbeaddeefbeadde'

# --- Bytes in front and behind ---------------------------------------------------------

{ printf 1234567 && cat n8 && printf 890; } >framed
tells 0 framed
prints '^framed: a pool of 4,096 bytes at byte 7;'
{ head -c 1000 /dev/zero && cat n8 w8; } >memory
refuses 'memory: no pool begins at byte 0; one does at byte 1000 (--offset=1000)' inspect memory
tells 0 --offset=1000 memory
prints '^memory: a pool of 4,096 bytes at byte 1000; narrow'
tells 0 --offset=0x13e8 memory
prints '^memory: a pool of 4,096 bytes at byte 5096; wide'
tells 0 --length --offset=995 memory
[ "$(cat output)" = '1000 4096' ] || fail "--length printed $(cat output)"
head -c 2048 w8 >beginning
tells 0 --length beginning
[ "$(cat output)" = '0 4096' ] || fail "--length printed $(cat output)"

# --- No pool ---------------------------------------------------------------------------------

: >empty
head -c 3000 n8 >cut
head -c 100 n8 >stub
head -c 4000 /dev/zero >zeros
echo 'defrag-trace 1' >trace
changed n8 swapped 8 'DFRG'
changed n8 later 12 '\007'
refuses 'empty: empty' inspect empty
refuses 'cut: cut, or its length is damaged: of the pool at byte 0, 4,096 bytes, 3,000 are there' inspect cut
refuses 'stub: cut: of the control block, .* 100 are there' inspect stub
refuses 'stub: cut' inspect --length stub
refuses 'zeros: no pool' inspect zeros
refuses 'trace: no pool' inspect trace
refuses 'swapped: .*the other byte order' inspect swapped
refuses 'later: .*not known here' inspect later
refuses 'nowhere: No such file' inspect nowhere
refuses '\.: Is a directory' inspect .
refuses 'n8: it has 4096 bytes, and none at byte 5000' inspect --offset=5000 n8
refuses 'none at byte 18446744073709551615' inspect --offset=0xffffffffffffffff n8
changed n8 tiny "$(where granules)" '\003\000'
gives 1 inspect tiny
[ ! -s output ] && [ "$(wc -l <said)" = 1 ] || fail "a pool too short: $(cat output said)"
grep -q 'tiny: damaged: .*has 24 bytes; no such pool has fewer' said || fail "a pool too short: $(cat said)"

# --- Arguments --------------------------------------------------------------------------------------

refuses 'no image was named' inspect
refuses 'no image was named' inspect --json
refuses "one image at a time.*'w8'" inspect n8 w8
for number in '' x -1 1x 0x 0xg 1.5 18446744073709551616 ' 1' +1; do
    refuses "--offset: '$number' is no number" inspect --offset="$number" n8
    refuses "--address: '$number' is no number" inspect --address="$number" n8
done
gives 2 inspect --no-such-option n8
tells 0 --help
prints 'Exit status'

# --- Output that cannot be written -------------------------------------------------------------------

for arguments in n8 '--json n8' '--length n8'; do
    status=0
    "$bench" inspect $arguments >/dev/full 2>said || status=$?
    [ "$status" = 2 ] || fail "defrag-bench inspect $arguments to a full disk: status $status"
    grep -q 'cannot write the result: No space left' said || fail "full disk: said $(cat said)"
done

# --- JSON -----------------------------------------------------------------------------------------------

command -v python3 >/dev/null || skip "no python3 here to read the JSON"
tells 0 --json n8
cp output sound.json
tells 1 --json --address=0x20000000 header
python3 - sound.json output <<'END' || fail "the JSON is not as documented"
import json, sys
sound, damaged = (json.load(open(path)) for path in sys.argv[1:])
keys = ["command", "version", "image", "image_offset", "layout", "alignment", "host_word", "address", "sound",
        "fault", "control", "statistics", "blocks", "slots"]
for value in sound, damaged:
    assert list(value) == keys, list(value)
    assert value["command"] == "inspect" and value["layout"] == "narrow" and value["alignment"] == 8
    assert value["control"]["pool_bytes"] == 4096
    offset = value["blocks"][0]["offset"]
    for block in value["blocks"]:
        assert block["offset"] == offset, block
        offset += block["bytes"]
    assert [slot["slot"] for slot in value["slots"]] == [1, 2, 3, 4]
assert sound["sound"] is True and sound["fault"] is None and sound["address"] is None
assert sound["statistics"]["live_blocks"] == 3 and sound["statistics"]["locked_blocks"] == 2
assert [block["kind"] for block in sound["blocks"]] == ["free", "used", "used", "used", "wilderness"]
message = sound["blocks"][1]
assert message["handle"] == "0x00020000" and message["payload_offset"] == 0x168 and message["payload_bytes"] == 100
assert message["alignment"] == 8 and sound["slots"][1]["payload_offset"] == message["payload_offset"]
assert message["owned"] and not message["exclusive"] and message["shared_locks"] == 0
gone = sound["slots"][0]
assert list(gone) == ["slot", "used", "handle", "generation", "next_empty"], gone
assert gone["used"] is False and gone["handle"].startswith("0x0001") and gone["generation"] == 1 and gone["next_empty"] == 0
assert sound["slots"][3]["shared_locks"] == 2 and sound["slots"][2]["exclusive"]
assert damaged["sound"] is False and damaged["statistics"] is None and damaged["address"] == 0x20000000
assert damaged["fault"]["offset"] == 0x164 and "header" in damaged["fault"]["text"]
assert [block["kind"] for block in damaged["blocks"]] == ["free", "unreadable", "used", "used", "wilderness"]
END

# --- The map as a picture ---------------------------------------------------------------

refuses 'no picture with it' inspect --length --svg=map.svg n8
mkdir without && ln -s "$(command -v timeout)" "$(command -v wc)" "$(command -v grep)" "$(command -v cat)" without
(PATH=$scratch/without && refuses 'gnuplot.*was not found' inspect --svg=map.svg n8) || exit 1
[ ! -e map.svg ] || fail "a picture without gnuplot"
command -v gnuplot >/dev/null || skip "there is no gnuplot here, to draw the map"
mkdir tmp
TMPDIR=$scratch/tmp
export TMPDIR

tells 0 --svg=map.svg n8
prints '^Sound: every invariant holds\.$'
tells 1 --svg=header.svg header
python3 "$top_srcdir/tests/report.py" svg map.svg header.svg || fail "the pictures"
grep -q '4,096 bytes, narrow layout, alignment 8<' map.svg || fail "the picture does not say of what it is"
grep -q 'alignment 8; DAMAGED<' header.svg || fail "the picture does not say that the pool is damaged"

# bars COLOUR FILE: how many stretches have it, the one in the legend counted.
bars() {
    grep -o "stroke='rgb($1)'  d='[^']*'" "$2" | grep -o M | wc -l
}
[ "$(bars '213,  66,  58' map.svg)" = 4 ] || fail "two locked blocks, one of them in two rows, are not shown"
[ "$(bars '227, 107, 208' map.svg)" = 0 ] || fail "a sound pool has something unreadable"
[ "$(bars '227, 107, 208' header.svg)" -ge 2 ] || fail "what is unreadable is not shown"
tells 0 --json --svg=wide.svg w8
python3 -m json.tool <output >/dev/null || fail "no JSON beside a picture"

cp map.svg before.svg
refuses 'nowhere/map.svg: No such file' inspect --svg=nowhere/map.svg n8
refuses '/dev/full: No space left' inspect --svg=/dev/full n8
refuses 'tmp: Is a directory' inspect --svg=tmp n8
(trap '' XFSZ && ulimit -f 1 && refuses 'gnuplot could not draw' inspect --svg=map.svg n8) || exit 1
cmp -s map.svg before.svg || fail "a picture that was there is damaged"
[ -z "$(ls -A tmp)" ] || fail "left in the temporary folder: $(ls -A tmp)"
