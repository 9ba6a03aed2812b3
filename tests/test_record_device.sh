# SPDX-License-Identifier: MIT
# defrag_record.h and `defrag-bench record --from-device`: a firmware's operations, recorded on the host and on a
# Cortex-M under QEMU, become the trace that it says itself; a stream that is cut or garbled is an error that says where.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
cd "$scratch"

# converts STATUS STREAM: into `trace`; what is said in `said`.
converts() {
    status=0
    rm -f trace
    timeout $patience "$bench" record --from-device="$2" -o trace >output 2>said || status=$?
    [ "$status" = "$1" ] || fail "record --from-device=$2: status $status, not $1: $(cat said)"
    [ ! -s output ] || fail "record --from-device=$2: printed $(cat output)"
    [ "$1" = 0 ] || [ -z "$(find . -name 'trace*')" ] || fail "record --from-device=$2: left $(find . -name 'trace*')"
}

says() {
    grep -q -- "$1" said || fail "said nothing like '$1' but: $(cat said)"
}

# refuses PATTERN STREAM: one line that fits.
refuses() {
    converts 1 "$2"
    [ "$(wc -l <said)" = 1 ] || fail "$2: said $(cat said)"
    says "^defrag-bench record: $2:$1"
}

operations() {
    sed -n '2,${/^#/!p}' trace
}

# comes_of NAME KIND: what the firmware did, from the stream `NAME.stream` and what it says itself in `NAME.told`.
comes_of() {
    [ "$(wc -l <"$1.told")" -gt 500 ] || fail "$1: hardly any operations"
    converts 0 "$1.stream"
    operations >got
    diff "$1.told" got >&2 || fail "$1: other operations than the firmware's (< its own, > recorded)"
    for line in "program: $1.stream" "pointer-bits: $2" 'unknown-frees: 0' 'unknown-resizes: 0' 'unseen-frees: 0' \
        'unknown-locks: 0' 'ended: yes'; do
        grep -qx "# $line" trace || fail "$1: the head of the trace lacks '$line'"
    done
    says "$1.stream: $(wc -l <got) operations"
    [ "$(wc -l <said)" = 1 ] || fail "$1: said $(cat said)"
    grep -a '^\$' "$1.stream" | awk -v most=$((11 + 6 * $2 / 8)) 'length + 1 > most { print; bad = 1 } END { exit bad }' ||
        fail "$1: a line of more than its bytes"
    "$bench" replay --check --policy=libdefrag trace >output || fail "$1: the replay: $(cat output)"
}

wraps=-Wl
for name in alloc resize free lock_shared unlock; do
    wraps=$wraps,--wrap=defrag_$name
done

# --- A firmware, on the host and on the target ---------------------------------------------

$CC -O1 -DDEFRAG_BUILDING -I"$lib" -I"$top_srcdir/tools" -o firmware "$top_srcdir/tests/device/record.c" $(lib_c_files) \
    $wraps || fail "record.c"
bits=$(getconf LONG_BIT)
for kind in pool malloc; do
    ./firmware $kind $kind.told >$kind.stream || fail "the firmware with $kind"
    comes_of $kind "$bits"
done
# As a serial console gives it, which is sent CR and LF.
sed 's/$/\r/' pool.stream >console.stream
cp pool.told console.told
comes_of console "$bits"
# Noise, before and between and behind, is other output: bytes of every kind, and lines of any length.
{
    printf 'boot\0\377\001\n' && sed 's/$/\nnoise/' pool.stream
    head -c 200000 /dev/zero && printf 'x $ x\n' && head -c 300 /dev/zero
} >noisy.stream
converts 0 noisy.stream
# What a reset sends stands right before it.
{ printf '\0\0' && cat pool.stream; } >reset.stream
cp pool.told reset.told
comes_of reset "$bits"
zstd -q pool.stream -o pool.stream.zst 2>/dev/null && converts 0 pool.stream.zst

# --- Streams by hand -------------------------------------------------------------------------

# stream NAME: the lines of standard input, `$` and check digits put to those that begin with `=`.
stream() {
    awk 'function either(a, b,    bit, out) {
             out = 0
             for (bit = 1; bit < 256; bit *= 2)
                 if (int(a / bit) % 2 != int(b / bit) % 2)
                     out += bit
             return out
         }
         BEGIN { for (i = 32; i < 127; i++) code[sprintf("%c", i)] = i }
         !/^=/ { print; next }
         { text = substr($0, 2)
           check = 0
           for (i = 1; i <= length(text); i++)
               check = either(check * 2 % 256 + int(check / 128), code[substr(text, i, 1)])
           printf "$%s*%02x\n", text, check }' >"$1"
}

stream odd <<'END'
boot loader 1.0
=b00,1,20
=a01,20000000,64
=a02,20000100,0,40
half a line of the log
=l03,20000000
=l04,20000000
=u05,20000000
=r06,20000000,78
=u07,20000000
=u08,20000000
=r09,20000100,10,20000200
=f0a,20000300
=r0b,20000400,8,20000400
=a0c,20000200,4
=l0d,20000200
=f0e,20000200
END
converts 0 odd
operations >got
diff - got >&2 <<'END' || fail "odd: other operations (< expected, > got)"
a 1 100
a 2 0 64
l 1
u 1
r 1 120
l 1
u 1
r 2 16
a 3 8
f 2
a 4 4
l 4
u 4
f 4
END
for line in 'pointer-bits: 32' 'unknown-frees: 1' 'unknown-resizes: 1' 'unseen-frees: 1' 'unknown-locks: 1' 'ended: no'; do
    grep -qx "# $line" trace || fail "odd: the head of the trace lacks '$line'"
done
says 'does not say that it is whole'
says '1 locks and unlocks'

# --- What is no stream -------------------------------------------------------------------------

: >empty
echo hello >text
{ printf '$' && head -c 5000 /dev/zero | tr '\0' x; } >long
refuses ' no recording' empty
refuses ' no recording' text
refuses '1: .*line too long' long
refuses ' No such file' nowhere
refuses '.*Is a directory' .
head -c -3 odd >cut
refuses '17: ' cut
sed '5,7d' odd >lost
refuses '5: 2 lines are missing in front' lost
sed 's/20000100/20000101/' odd >changed
refuses '4: garbled: the check digits' changed
sed '4s/\*../*zz/' odd >digits
refuses '4: garbled: the line does not end' digits
sed '4s/\*.*//' odd >torn
refuses '4: garbled: the line does not end' torn
sed 2d odd >late
refuses '2: the recording does not begin' late
cat odd odd >twice
refuses '19: another recording begins' twice
for line in '=x01,1' '=a01' '=a01,0,4' '=a01,1' '=a01,1,4,3' '=a01,1,4,0' '=a01,1,4,8,1' '=f01,1,2' '=f01' '=f01,' \
    '=f01,g' '=f01,11112222333344445' '=a01,1,1000000000000' '=r01,1,2,0' '=r01,1' '=l01,1 ' '=e01,1' '=A01,1,2'; do
    printf '%s\n' =b00,1,20 "$line" | stream bad
    converts 1 bad
    says "^defrag-bench record: bad:2: \(there is no operation\|the operation '[a-z]' has other fields\|the end has fields\)"
done
for line in =b00 =b00,2,20 =b00,1 =b00,1,7 =b00,1,41 =b00,1,20,1; do
    echo "$line" | stream bad
    converts 1 bad
    says '^defrag-bench record: bad:1: \(this is no recording of version 1\|the recording does not say\)'
done
printf '%s\n' =b00,1,20 =ezz | stream bad
refuses '2: garbled: the line has no number' bad
printf '%s\n' =b00,1,20 =e01 =a02,1,4 | stream bad
refuses '3: the recording goes on behind its end' bad

# Each bit of a stream, changed: an error, or the same operations; never others.
printf '%s\n' =b00,1,20 =a01,20000000,64 =r02,20000000,78,20000100 =l03,20000100 =e04 | stream short
converts 0 short
operations >wanted
command -v python3 >/dev/null || skip "no python3 here"
python3 - short <<'END' >variants
import sys
text = open(sys.argv[1], "rb").read()
for bit in range(8 * len(text)):
    other = bytearray(text)
    other[bit // 8] ^= 1 << bit % 8
    open(f"variant-{bit}", "wb").write(other)
    print(f"variant-{bit}")
END
while read -r name; do
    status=0
    "$bench" record --from-device="$name" -o trace 2>said || status=$?
    [ "$status" = 1 ] || { [ "$status" = 0 ] && operations | cmp -s - wanted; } ||
        fail "$name: status $status, another trace: $(cat -v "$name" trace)"
    rm -f trace "$name"
done <variants

# --- Arguments and output -----------------------------------------------------------------------

usage() {
    status=0
    "$bench" record "$@" >output 2>said </dev/null || status=$?
    [ "$status" = 2 ] || fail "record $*: status $status"
}
usage --from-device=odd
usage --from-device=odd -o trace -- true
usage --from-device -o trace
status=0
"$bench" record --from-device=odd -o /dev/full 2>said || status=$?
[ "$status" = 1 ] || fail "to a full disk: status $status"
says 'No space left'
"$bench" record --from-device=odd -c 'version: 7' -o trace.zst 2>said || fail "a compressed trace: $(cat said)"
"$bench" replay trace.zst >output || fail "a compressed trace: $(cat output)"

# --- A Cortex-M --------------------------------------------------------------------------------------

cross=arm-none-eabi
for tool in $cross-gcc qemu-system-arm; do
    command -v $tool >/dev/null ||
        skip "no $tool here; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
done
target=$top_srcdir/tests/target
$cross-gcc -mcpu=cortex-m3 -mthumb -O1 -D_GNU_SOURCE= -DDEFRAG_BUILDING -I"$lib" -I"$top_srcdir/tools" -o target \
    "$top_srcdir/tests/device/record.c" $(lib_c_files) "$target/startup.c" "$target/newlib.c" -T "$target/mps2.ld" \
    --specs=rdimon.specs -nostartfiles $wraps || fail "record.c"
for kind in pool malloc; do
    QEMU=qemu-system-arm QEMU_MACHINE=mps2-an385 sh "$target/run.sh" target $kind target-$kind.told \
        >target-$kind.stream || fail "the firmware with $kind on the target: $(tail -n 3 target-$kind.stream)"
    comes_of target-$kind 32
done
echo "$(wc -l <target-pool.told) and $(wc -l <target-malloc.told) operations on a Cortex-M3"
