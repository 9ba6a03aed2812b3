# SPDX-License-Identifier: MIT
# Stack: bounded, known to the compiler, without recursion; prints the deepest
# chain of calls below each public function. The callbacks' own is not in it.
. "${top_srcdir:?}/tests/package.sh"

# measure NAME LIMIT COMPILER [OPTION...]
measure() {
    name=$1 limit=$2
    shift 2
    mkdir "$scratch/$name"
    cd "$scratch/$name"
    "$@" -std=c11 -I"$lib" -fcallgraph-info=su,da -c $(lib_c_files) || fail "$*"
    status=0
    awk -v limit="$limit" -f "$top_srcdir/tests/callgraph.awk" ./*.ci >report || status=$?
    echo "--- $name: bytes of stack, limit $limit"
    LC_ALL=C sort -rn report
    [ "$status" -eq 0 ] || fail "$name"
    # Calls through a pointer are not in the graph; only callbacks may be such once code is optimised.
    case $name in
    *-as-written) ;;
    *) grep -Eq 'defrag_alloc > .*(df_make_room|df_scramble)' report || fail "$name: the graph has lost what moves blocks" ;;
    esac
    measured=$((measured + 1))
}

host_build() {
    measure "$1" 576 gcc -O2 $2
}

measured=0
if command -v gcc >/dev/null; then
    for_each_build host_build
    # Optimised, some recursion becomes a loop; here it is as written.
    measure n8-as-written 4096 gcc -O0 -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8
fi
if command -v arm-none-eabi-gcc >/dev/null; then
    for target in cortex-m3:336 cortex-m0plus:384; do
        cpu=${target%:*}
        measure $cpu-n8 ${target#*:} arm-none-eabi-gcc -mcpu=$cpu -mthumb -Os \
            -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -DDEFRAG_ALIGNMENT=8
    done
fi
[ "$measured" -gt 0 ] || skip "no gcc here"
