# SPDX-License-Identifier: MIT
# images.sh: the sequences of calls of tests/images.c make the same images of pools
# on the target as here, byte for byte. A difference is traced to the first call
# that makes it. images.sh --host FILE compiles the program for this machine, once
# for many targets: HOST_IMAGES=FILE. HOST_CC and HOST_CFLAGS: how. IMAGES_SEEDS: random
# sequences of each build.
. "${top_srcdir:?}/tests/package.sh"
seeds=${IMAGES_SEEDS-20}

# compile_here FILE: the program with the narrow builds of the library in it.
compile_here() {
    cc=${HOST_CC-$(command -v cc || command -v gcc || command -v clang)} ||
        skip "no compiler for this machine, to compare with: set HOST_CC"
    cc="$cc -std=gnu11 ${HOST_CFLAGS--O2} -w"
    objects=$scratch/host-objects
    for alignment in 4 8 16; do
        mkdir -p "$objects/n$alignment"
        (
            cd "$objects/n$alignment"
            quietly $cc -I"$lib" -I"$top_srcdir/tools" -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 \
                -DDEFRAG_ALIGNMENT=$alignment -DDEFRAG_PREFIX=n${alignment}_ -c $(lib_c_files) \
                "$top_srcdir/tools/build_one.c" "$top_srcdir/tools/slide_one.c"
        )
    done
    quietly $cc -D_GNU_SOURCE= -ffunction-sections -Wl,--gc-sections -I"$top_srcdir" -I"$lib" \
        -I"$top_srcdir/tests" "$top_srcdir/tests/images.c" "$top_srcdir/tests/draw.c" "$top_srcdir/tests/ops.c" \
        "$top_srcdir/tests/support.c" "$top_srcdir/tools/workload.c" "$objects"/n*/*.o -o "$1"
}

if [ "${1-}" = --host ]; then
    compile_here "$2"
    exit
fi
[ -n "${QEMU-}" ] || skip "no QEMU for this target; on Debian: apt-get install qemu-system-arm qemu-system-misc"
host=${HOST_IMAGES-}
if [ -z "$host" ]; then
    host=$scratch/host
    compile_here "$host"
fi

# images ARGUMENT...: on both, into $scratch/here and $scratch/there.
images() {
    "$host" "$@" >"$scratch/here" || fail "images $* fails on this machine: $(tail -n 1 "$scratch/here")"
    QEMU_MACHINE=$machine sh "$top_srcdir/tests/target/run.sh" "$image" "$@" >"$scratch/there" ||
        fail "images $* fails on $machine: $(tail -n 1 "$scratch/there")"
}

# The number of the first line that differs; nothing: none does.
first_difference() {
    cmp "$scratch/here" "$scratch/there" 2>&1 | sed -n 's/.*line \([0-9]*\).*/\1/p'
}

# Narrows a difference down to one call.
trace() {
    line=$(first_difference)
    sequence=$(sed -n "${line}s/: .*//p" "$scratch/here")
    echo "$machine: the images of the sequence $sequence differ" >&2
    images "$bytes" "$seeds" "$list" "$sequence"
    call=$(sed -n "$(first_difference)s/^call \([0-9]*\),.*/\1/p" "$scratch/here")
    images "$bytes" "$seeds" "$list" "$sequence" $((call > 999 ? call - 999 : 1))
    line=$(first_difference)
    echo "first after $(sed -n "${line}p" "$scratch/here") here, $(sed -n "${line}s/.*: //p" "$scratch/there") there" >&2
    fail "again, there: run.sh $image $bytes $seeds $list $sequence $((call > 999 ? call - 999 : 1))"
}

# compare IMAGE MACHINE BYTES LIST
compare() {
    image=$1 machine=$2 bytes=$3 list=$4
    images "$bytes" "$seeds" "$list"
    cmp -s "$scratch/here" "$scratch/there" || trace
    awk -v machine="$machine" '{ calls += $2; images += $4 }
        END { printf "%s: %d sequences, %d calls, %d hashes of images, equal to those of this machine\n",
                     machine, NR, calls, images; exit NR < 30 }' "$scratch/here" || fail "too few sequences ran"
}

find "$top_srcdir/fuzz/corpus/calls" "$top_srcdir/fuzz/regressions/calls" -type f ! -name '.*' |
    LC_ALL=C sort >"$scratch/inputs"
compare "$top_builddir/tests/images" "${QEMU_MACHINE:?}" 65536 "$scratch/inputs"
[ -z "${SMALL_MACHINE-}" ] || compare "$top_builddir/tests/images_small" "$SMALL_MACHINE" 8192 -
