# SPDX-License-Identifier: MIT
# The GDB script, on the host and on a Cortex-M under QEMU: it tells of a live pool what
# defrag-bench tells of a dump of it, finds blocks by their handles, and takes any argument.
. "${top_srcdir:?}/tests/package.sh"
[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
DEFRAG_BENCH=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}
export DEFRAG_BENCH
script=$top_srcdir/tools/gdb/defrag-gdb.py
device=$top_srcdir/tests/device/device.c
cd "$scratch"

command -v gdb >/dev/null || skip "no gdb here; on Debian: apt-get install gdb"
gdb -nx -batch -ex 'python import json, subprocess' 2>said || skip "this gdb has no Python: $(cat said)"

# debug PROGRAM WAY...: runs the GDB commands of standard input at ready(), behind those of the way there.
debug() {
    program=$1
    shift
    { printf '%s\n' 'set confirm off' 'set pagination off' 'set width 0' "source $script" "$@" && cat; } >commands
    timeout $patience "$gdb" -nx -batch -x commands "$program" >output 2>said </dev/null ||
        fail "$gdb on $program: $(cat said)"
}

prints() {
    grep -q -- "$1" output || fail "$gdb prints nothing like '$1' but: $(cat output) $(cat said)"
}

says() {
    grep -q -- "$1" said || fail "$gdb says nothing like '$1' but: $(cat said)"
}

# The commands go on behind one that fails only if they are told to.
attempt() {
    printf 'python\ntry:\n    gdb.execute("%s")\nexcept gdb.error as error:\n    gdb.write(f"{error}\\n", gdb.STDERR)\nend\n' "$1"
}

# tells NAME WAY...: all that it can, of the program that is at ready() then.
tells() {
    name=$1
    shift
    debug "$name" "$@" <<END
dump binary memory $name.bin memory ((char *)memory)+sizeof(memory)
printf "at 0x%lx\n", (unsigned long)memory
echo the whole\n
info defrag pool
echo the end\n
info defrag memory
defrag walk pool
defrag handle pool message
defrag handle pool shared
defrag handle "(defrag_pool *)memory" locked.bits
print *(char (*)[6])\$defrag_address(pool, message)
x/s \$defrag_address(memory, message)
$(attempt 'defrag handle pool gone')
$(attempt 'info defrag')
$(attempt 'defrag handle pool')
$(attempt 'info defrag 0')
$(attempt 'info defrag nothing')
$(attempt 'info defrag &gone')
$(attempt 'info defrag 0xf0000010')
$(attempt 'print $defrag_address(pool, gone)')
END
    cp output told
    address=$(sed -n 's/^at \(0x[0-9a-f]*\)$/\1/p' told)
    "$DEFRAG_BENCH" inspect --address="$address" "$name.bin" | sed "s/^$name.bin:/memory:/" >wanted
    sed -n '/^the whole$/,/^the end$/p' told | sed '1d;$d' >shown
    diff wanted shown || fail "$name: info defrag tells something else than defrag-bench of the dump"
    [ "$(grep -c '^Sound: every invariant holds' told)" = 2 ] || fail "$name: the buffer is not the pool"
    [ "$(grep -c '^0x[0-9a-f]*  *[0-9][0-9]* \(used\|free\|wilderness\)' told)" = 5 ] || fail "$name: defrag walk"
    prints '^0x[0-9a-f]*, 10[04] bytes$'
    prints 'bytes, 2 shared locks$'
    prints 'bytes, locked exclusively$'
    [ "$(grep -c '"hello"' told)" = 2 ] || fail "$name: \$defrag_address"
    for message in 'the handle 0x.* is stale' 'usage: info defrag POOL' 'usage: defrag handle POOL HANDLE' \
        'the pool is a null pointer' 'No symbol .nothing' 'no pool: ' 'cannot read'; do
        says "$message"
    done
    [ "$(grep -c 'is stale' said)" = 2 ] || fail "$name: says $(cat said)"
    ! grep -q Traceback said || fail "$name: says $(cat said)"
}

# Damage that the debugger does; status and text are those of the tool.
finds() {
    name=$1
    shift
    debug "$name" "$@" <<END
set var ((unsigned char *)memory)[15] = 1
info defrag pool
defrag walk pool
defrag handle pool message
END
    [ "$(grep -c '^DAMAGED at 0x.*in the middle of a move' output)" = 2 ] || fail "$name: the damage is not found"
    prints 'bytes$'
}

# --- The host ------------------------------------------------------------------------

gdb=gdb
$CC -g -O1 -DDEFRAG_BUILDING -I"$lib" -o host "$device" $(lib_c_files) || fail "device.c"
gdb -nx -batch -ex 'break ready' -ex run -ex 'print memory[0]' host >output 2>&1 || :
if grep -q '^\$1 = ' output; then
    tells host 'break ready' run
    finds host 'break ready' run
    echo "gdb: the host"
else
    echo "gdb cannot run programs here: $(tail -n 1 output)"
fi

# --- A Cortex-M ------------------------------------------------------------------------

cross=arm-none-eabi
command -v gdb-multiarch >/dev/null || skip "no gdb-multiarch here; on Debian: apt-get install gdb-multiarch"
for tool in $cross-gcc qemu-system-arm; do
    command -v $tool >/dev/null ||
        skip "no $tool here; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
done
gdb=gdb-multiarch
target=$top_srcdir/tests/target
$cross-gcc -mcpu=cortex-m3 -mthumb -g -O1 -D_GNU_SOURCE= -DDEFRAG_BUILDING -I"$lib" -o target "$device" \
    $(lib_c_files) "$target/startup.c" -T "$target/mps2.ld" --specs=rdimon.specs -nostartfiles || fail "device.c"

# at_ready FUNCTION: with a target that waits for a debugger.
at_ready() {
    rm -f socket
    QEMU=qemu-system-arm QEMU_MACHINE=mps2-an385 \
        QEMU_FLAGS="-S -chardev socket,id=gdb,path=socket,server=on,wait=off -gdb chardev:gdb" \
        sh "$target/run.sh" target >qemu 2>&1 &
    qemu=$!
    at_end="kill $qemu"
    until_true "$qemu" [ -S socket ]
    "$1" target "target remote socket" 'break ready' continue
    wait "$qemu" || :
    at_end=:
}
at_ready tells
at_ready finds
# The same calls leave the same bytes on both.
$CC -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -I"$lib" -o narrow "$device" $(lib_c_files) && ./narrow narrow.bin || fail "device.c"
cmp target.bin narrow.bin || fail "the pool of the target is not that of the host"
echo "gdb-multiarch: a Cortex-M3"
