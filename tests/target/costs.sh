# SPDX-License-Identifier: MIT
# costs.sh: prints doc/costs.md, measured: instructions on the benchmarks'
# workload, sizes of code. Exact, and the same on every machine with the same
# compiler, which the text names.
. "${top_srcdir:?}/tests/package.sh"
cross=arm-none-eabi
for tool in $cross-gcc qemu-system-arm; do
    command -v $tool >/dev/null ||
        skip "no $tool here; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
done
seeds='2463534242 1 88172645'
target=$top_srcdir/tests/target
flags="-std=c11 -D_GNU_SOURCE= -mthumb -ffunction-sections -fno-tree-loop-distribute-patterns -I$lib -I$top_srcdir"
link="$target/startup.c -T $target/mps2.ld --specs=rdimon.specs -nostartfiles -Wl,--gc-sections"

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

# column NAME OPTION...: a line for each figure, "what<TAB>value", values alike in all columns.
column() {
    name=$1
    shift
    mkdir "$scratch/$name"
    cd "$scratch/$name"
    quietly $cross-gcc "$@" $flags -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8 -c $(lib_c_files)
    quietly $cross-ar cr libdefrag.a ./*.o
    quietly $cross-gcc "$@" $flags "$target/counts.c" "$top_srcdir/tools/workload.c" libdefrag.a $link -o counts
    quietly $cross-gcc "$@" $flags "$scratch/minimal.c" libdefrag.a -nostartfiles -Wl,--gc-sections -Wl,-e,reset \
        --specs=nosys.specs -o minimal
    for seed in $seeds; do
        QEMU=qemu-system-arm QEMU_MACHINE=mps2-an385 QEMU_FLAGS='-icount shift=7' \
            sh "$target/run.sh" counts "$seed" >"counts.$seed" || {
            cat "counts.$seed" >&2
            fail "$name: counts $seed"
        }
    done
    cat counts.* | awk -F'\t' '
        NF < 5 { next }
        !($1 in mean) { order[++rows] = $1 }
        { if ($3 > mean[$1]) mean[$1] = $3
          if ($4 > most[$1, 4]) most[$1, 4] = $4
          if ($5 > most[$1, 5]) most[$1, 5] = $5 }
        END { for (i = 1; i <= rows; i++)
                  printf "%s\t%s / %d / %d\n", order[i], mean[order[i]], most[order[i], 4], most[order[i], 5] }'
    $cross-size -t libdefrag.a | awk 'END { printf "text of the whole library, bytes\t%d\n", $1 }'
    $cross-size minimal | awk 'END { printf "text of a program with init, alloc_fast, free, lock, unlock, compact_step\t%d\n", $1 }'
}

column m3-O2 -mcpu=cortex-m3 -O2 >"$scratch/1"
column m3-Os -mcpu=cortex-m3 -Os >"$scratch/2"
column m0plus-Os -mcpu=cortex-m0plus -Os >"$scratch/3"
column m3-O2-hardened -mcpu=cortex-m3 -O2 -DDEFRAG_HARDENING=1 >"$scratch/4"
column m3-Os-hardened -mcpu=cortex-m3 -Os -DDEFRAG_HARDENING=1 >"$scratch/5"

cat <<END
<!-- SPDX-License-Identifier: MIT -->
# What calls cost on a Cortex-M

Measured by \`make costs\`, which prints this text; \`tests/test_costs.sh\` fails where a maximum or a size
has grown by more than 2 % and this table has not been made anew.

Instructions, not cycles, of one call, what an empty call costs subtracted: mean / 99th percentile / maximum
of 50,000 operations, each the worst of three seeds. The workload is that of \`tools/workload.h\` at 70 % of
a pool of 64 KiB, narrow layout, alignment 8, without configuration; the code of the Cortex-M0+ runs on the
same simulated board. Hardened is a build with \`--enable-hardening\`.
newlib's \`malloc\` ran the same workload in the same image, in a heap that it may extend;
its figures vary a little with what lies in that heap before.

Compiler: $($cross-gcc --version | head -n 1)

| | Cortex-M3 -O2 | Cortex-M3 -Os | Cortex-M0+ -Os | Cortex-M3 -O2, hardened | Cortex-M3 -Os, hardened |
|---|---|---|---|---|---|
END
cd "$scratch"
awk -F'\t' '{ cell[$1, FILENAME] = $2 } FILENAME == "1" { order[++rows] = $1 }
    END { for (i = 1; i <= rows; i++)
              printf "| %s | %s | %s | %s | %s | %s |\n", order[i], cell[order[i], "1"], cell[order[i], "2"],
                  cell[order[i], "3"], cell[order[i], "4"], cell[order[i], "5"] }' 1 2 3 4 5
