# SPDX-License-Identifier: MIT
# costs.sh: prints doc/costs.md, measured: instructions of each public function,
# sizes of code, stack. Exact, and the same on every machine with the same
# compiler, which the text names.
. "${top_srcdir:?}/tests/package.sh"
cross=arm-none-eabi
for tool in $cross-gcc qemu-system-arm zstd; do
    command -v $tool >/dev/null || skip "no $tool here; on Debian: apt-get install gcc-arm-none-eabi" \
        "libnewlib-arm-none-eabi picolibc-arm-none-eabi qemu-system-arm zstd"
done

# picolibc_of OPTION...: the archive that the linker takes.
picolibc_of() {
    echo 'int main(void) { return 0; }' >"$scratch/empty.c"
    $cross-gcc "$@" -mthumb --specs=picolibc.specs "$scratch/empty.c" -Wl,-t -o "$scratch/empty" 2>&1 |
        grep '/libc\.a$' | head -n 1
}
[ -n "$(picolibc_of -mcpu=cortex-m3)" ] ||
    skip "no picolibc here; on Debian: apt-get install picolibc-arm-none-eabi"
seeds='2463534242 1 88172645'
target=$top_srcdir/tests/target
figures=$scratch/figures
plain="-std=c11 -D_GNU_SOURCE= -mthumb -ffunction-sections -fno-tree-loop-distribute-patterns"
plain="$plain -I$lib -I$top_srcdir -DDEFRAG_WIDE=0"
# newlib's malloc works in pages: where its heap begins in one does not depend on our size.
link="$target/startup.c -T $target/mps2.ld --specs=rdimon.specs -nostartfiles -Wl,--gc-sections"
link="$link -Wl,--defsym=heap_alignment=4096"

# --- What is measured ----------------------------------------------------------------

# put SECTION: appends lines "row<TAB>value" to the figures, under the present column.
put() {
    awk -v column="$column" -v section="$1" '
        BEGIN { FS = OFS = "\t" }
        NF > 1 { print column, section, $1, $2 }' >>"$figures"
}

# run WORD...: runs the image. Its environment lies in newlib's heap, so it is the same everywhere.
run() {
    env -u BUILD -u SEED top_srcdir=. DEFRAG_TEST_EFFORT=5 QEMU=qemu-system-arm QEMU_MACHINE=mps2-an385 \
        QEMU_FLAGS='-icount shift=7' sh "$target/run.sh" counts "$@" >"output" || {
        cat output >&2
        fail "$column: counts $*"
    }
    cat output
}

# compiled ALIGNMENT OPTION...: libdefrag.a, here.
compiled() {
    alignment=$1
    shift
    rm -f ./*.o libdefrag.a
    quietly $cross-gcc "$@" $plain -DDEFRAG_ALIGNMENT="$alignment" -DDEFRAG_BUILDING -fcallgraph-info=su,da \
        -c $(lib_c_files)
    quietly $cross-ar cr libdefrag.a ./*.o
}

# picolibc's malloc, its names prefixed.
with_pico() {
    mkdir -p pico
    cd pico
    quietly $cross-ar x "$(picolibc_of "$@")" \
        nano-malloc-malloc.c.o nano-malloc-free.c.o nano-malloc-realloc.c.o nano-malloc-malloc_usable_size.c.o
    for object in *.o; do
        quietly $cross-objcopy --prefix-symbols=pico_ "$object"
    done
    cd ..
}

# image ALIGNMENT OPTION...: the program counts, of the library here.
image() {
    alignment=$1
    shift
    quietly $cross-gcc "$@" $plain -DDEFRAG_ALIGNMENT="$alignment" "$target"/counts*.c \
        "$top_srcdir/tools/workload.c" pico/*.o libdefrag.a $link -o counts
}

# Of several runs the worst: mean / 99th percentile / maximum.
worst_of_three() {
    awk -F'\t' '
        NF < 5 { if ($3 > few[$1]) few[$1] = $3
                 if (!($1 in calls)) { calls[$1] = $2; refused[++kinds] = $1 }
                 next }
        !($1 in mean) { order[++rows] = $1 }
        { if ($3 > mean[$1]) mean[$1] = $3
          if ($4 > most[$1, 4]) most[$1, 4] = $4
          if ($5 > most[$1, 5]) most[$1, 5] = $5 }
        END { for (i = 1; i <= rows; i++)
                  printf "%s\t%s / %d / %d\n", order[i], mean[order[i]], most[order[i], 4], most[order[i], 5]
              for (i = 1; i <= kinds; i++) printf "%s\t%d\n", refused[i], few[refused[i]] }'
}

# Of many traces: the mean of all calls, and of the percentiles and maxima the worst.
all_traces() {
    awk -F'\t' '
        { sub(/^[^:]*: /, "", $1)
          if (!($1 in calls)) order[++rows] = $1
          calls[$1] += $2; sum[$1] += $2 * $3
          if ($4 > most[$1, 4]) most[$1, 4] = $4
          if ($5 > most[$1, 5]) most[$1, 5] = $5 }
        END { for (i = 1; i <= rows; i++)
                  printf "%s\t%.1f / %d / %d\n", order[i], sum[order[i]] / calls[order[i]],
                         most[order[i], 4], most[order[i], 5] }'
}

# The most of all heaps. On each of them it is that but for 10 %: the rarest coincidence is not met on all.
only_constants() {
    awk -F'\t' '
        !($2 in most) { order[++rows] = $2; least[$2] = $6 }
        $6 > most[$2] { most[$2] = $6 }
        $6 < least[$2] { least[$2] = $6 }
        END { for (i = 1; i <= rows; i++) {
                  name = order[i]
                  print name "\t" most[name]
                  if (most[name] > least[name] * 1.1) {
                      print name ": from " least[name] " to " most[name] >"/dev/stderr"
                      bad = 1
                  }
              }
              exit bad || !rows }'
}

counted_workload() {
    for seed in $1; do
        run workload "$seed"
    done >workload
    run full "${1%% *}" >>workload
    worst_of_three <workload | put workload
}

counted_traces() {
    : >traces
    for trace in "$scratch"/*.trace; do
        name=${trace##*/}
        run trace "${name%.trace}" "$trace" >>traces
    done
    all_traces <traces | put traces
    awk -F'\t' '{ printf "%s\t%s / %d / %d\n", $1, $3, $4, $5 }' traces | put trace
}

counted_heaps() {
    run worst >worst
    only_constants <worst >constants || fail "$column: not O(1)"
    put worst <constants
    run walk >walk
    awk -F'\t' '{ print $1 ": " $2 "\t" $3 }' walk | put walk
}

# The mover, alignment 8 and, with a library of its own, 4.
counted_mover() {
    run mover >mover
    awk -F'\t' '{ printf "alignment 8, %s\t%.3f\n", $1, $2 / 1000 }' mover | put mover
    mkdir 4
    cd 4
    compiled 4 "$@"
    ln -s ../pico pico
    image 4 "$@"
    run mover >mover
    awk -F'\t' '{ printf "alignment 4, %s\t%.3f\n", $1, $2 / 1000 }' mover | put mover
    cd ..
}

# Who uses only these links only what they need.
cat >"$scratch/minimal.c" <<'END'
#include <defrag.h>
DEFRAG_POOL_DEFINE(memory, 4096);
int main(void);
void reset(void);
int main(void)
{
    defrag_pool *pool;
    defrag_handle handle;
    size_t moved;
    if (defrag_init(&pool, memory, sizeof memory, 0) || defrag_alloc_fast(pool, 100, &handle) != DEFRAG_OK)
        return 1;
    char *text = defrag_lock(pool, handle);
    if (!text)
        return 1;
    text[0] = 0;
    (void)defrag_unlock(pool, handle);
    (void)defrag_free(pool, &handle);
    return (int)defrag_compact_step(pool, 100, &moved);
}
void reset(void)
{
    main();
}
END

# What it must not have, for nothing in it needs that.
unneeded='defrag_alloc defrag_attach defrag_check defrag_clean defrag_compact defrag_make_room defrag_read
    defrag_resize defrag_scramble defrag_size defrag_statistics_get defrag_status_string defrag_walk
    defrag_write df_cheapest_run df_check df_gather df_largest_sum df_lift df_make_room df_plan_make
    df_table_trim'

# linked_minimal OPTION...: that program, as minimal.
linked_minimal() {
    quietly $cross-gcc "$@" $plain "$scratch/minimal.c" libdefrag.a -nostartfiles -Wl,--gc-sections \
        -Wl,-e,reset --specs=nosys.specs -o minimal
    $cross-nm minimal | awk '{ print $3 }' >symbols
    for name in $unneeded; do
        # Hardened, all that costs O(B) begins with it.
        [ "$name:${column##*-}" != df_check:hardened ] || continue
        ! grep -qx "$name" symbols || fail "$column: $name is linked, and nothing needs it"
    done
    grep -qx defrag_compact_step symbols || fail "$column: the minimal program has no defrag_compact_step"
}

text_of() {
    $cross-size -t "$@" | awk 'END { print $1 }'
}

# linked_text NAME...: text that a program with these functions links of the library.
linked_text() {
    quietly $cross-ld --gc-sections -e defrag_init --unresolved-symbols=ignore-all $(printf -- '-u %s ' "$@") \
        libdefrag.a -o linked
    text_of linked
}

# adds WHAT NAME...: with what was linked before, so many bytes more.
adds() {
    what=$1
    shift
    linked="$linked $*"
    text=$(linked_text $linked)
    printf '%s\t%d\n' "$what" $((text - before)) | put capability
    before=$text
}

# The library is without the flag DEFRAG_SCRAMBLE, with which it has all of $1 bytes.
each_capability() {
    linked= before=0
    adds 'init, alloc_fast, free, lock, unlock' \
        defrag_init defrag_alloc_fast defrag_free defrag_lock defrag_unlock
    adds 'lock_shared, try_lock, try_lock_shared, read, write, size' \
        defrag_lock_shared defrag_try_lock defrag_try_lock_shared defrag_read defrag_write defrag_size
    adds 'compact_step, compact, clean' defrag_compact_step defrag_compact defrag_clean
    adds 'alloc, slices, make_room: the plans' \
        defrag_alloc defrag_alloc_slice defrag_alloc_slice_fast defrag_make_room
    adds 'alloc_request: alignment, DEFRAG_PLACE_LOW' defrag_alloc_request
    adds 'resize' defrag_resize
    adds 'check, attach, detach' defrag_check defrag_attach defrag_detach
    adds 'statistics_get, walk, status_string, version' \
        defrag_statistics_get defrag_walk defrag_status_string defrag_version
    printf 'scramble, and the flag\t%d\n' $(($1 - before)) | put capability
    printf 'all\t%d\n' "$1" | put capability
}

# Sizes of all and of the minimal program, with and without what DEFRAG_SCRAMBLE needs.
sized() {
    all=$(linked_text $(cat "$top_srcdir/lib/libdefrag.sym"))
    linked_minimal "$@"
    printf 'the whole library\t%d\n' "$(text_of libdefrag.a)" | put text
    printf 'a program with init, alloc_fast, free, lock, unlock, compact_step\t%d\n' "$(text_of minimal)" |
        put text
    compiled 8 "$@" -DDEFRAG_NO_SCRAMBLE=1
    linked_minimal "$@"
    printf 'the whole library, --disable-scramble\t%d\n' "$(text_of libdefrag.a)" | put text
    printf 'the same program, --disable-scramble\t%d\n' "$(text_of minimal)" | put text
    each_capability "$all"
}

# Of each public function: its own text, the text that a program with it alone links of the library,
# its stack.
each_function() {
    $cross-nm -S --defined-only libdefrag.a | awk '$4 ~ /^defrag_/ { print $4, $2 }' |
        LC_ALL=C sort >functions
    while read -r name bytes; do
        quietly $cross-ld --gc-sections -e "$name" --unresolved-symbols=ignore-all libdefrag.a -u "$name" \
            -o alone
        printf '%s\t%d / %d\n' "$name" "0x$bytes" "$(text_of alone)"
    done <functions | put function
    awk -v limit=99999 -f "$top_srcdir/tests/callgraph.awk" ./*.ci | awk '{ print $2 "\t" $1 }' |
        LC_ALL=C sort | put stack
}

# begin COLUMN
begin() {
    column=$1
    mkdir "$scratch/$column"
    cd "$scratch/$column"
}

# measured COLUMN SEEDS OPTION...
measured() {
    begin "$1"
    of=$2
    shift 2
    compiled 8 "$@"
    with_pico "$@"
    image 8 "$@"
    counted_workload "$of"
    case $column in
    *hardened) ;;
    *)
        counted_traces
        counted_heaps
        each_function
        counted_mover "$@"
        ;;
    esac
    cd "$scratch/$column"
    sized "$@"
}

# only_sized COLUMN OPTION...
only_sized() {
    begin "$1"
    shift
    compiled 8 "$@"
    sized "$@"
}

for trace in "$top_srcdir"/traces/*.zst; do
    name=${trace##*/}
    quietly zstd -qd "$trace" -o "$scratch/${name%.zst}.trace"
done
measured m3-O2 "$seeds" -mcpu=cortex-m3 -O2
measured m3-Os "$seeds" -mcpu=cortex-m3 -Os
measured m0-O2 "$seeds" -mcpu=cortex-m0plus -O2
measured m0-Os "$seeds" -mcpu=cortex-m0plus -Os
measured m3-O2-hardened "${seeds%% *}" -mcpu=cortex-m3 -O2 -DDEFRAG_HARDENING=1
measured m3-Os-hardened "${seeds%% *}" -mcpu=cortex-m3 -Os -DDEFRAG_HARDENING=1
for cpu in m4 m33; do
    only_sized $cpu-O2 -mcpu=cortex-$cpu -O2
    only_sized $cpu-Os -mcpu=cortex-$cpu -Os
done

# --- How it is shown -----------------------------------------------------------------------

awk -v compiler="$($cross-gcc --version | head -n 1)" -f "$target/costs.awk" "$figures"
