# SPDX-License-Identifier: MIT
# What `defrag-bench --json` prints is what doc/defrag-bench.schema.json says, no member more or less.
. "${top_srcdir:?}/tests/package.sh"
bench=${DEFRAG_BENCH:-$top_builddir/tools/defrag-bench}
case $bench in /*) ;; *) bench=$PWD/$bench ;; esac
sources=$(cd "$top_srcdir" && pwd)

[ "${TOOLS:-yes}" = yes ] || skip "configured with --disable-tools"
for python in python3 /usr/bin/python3 none; do
    ! "$python" -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null || break
done
[ $python != none ] || skip "no jsonschema for python3 here; on Debian: apt-get install python3-jsonschema"
cd "$scratch"

cat >small <<'END'
defrag-trace 1
# program: hand
a 1 100
a 2 2000 64
a 3 300
f 2
r 3 450
l 1
u 1
END
printf 'defrag-trace 1\n' >empty

# prints NAME STATUS ARGUMENT...
prints() {
    name=$1 wanted=$2
    shift 2
    status=0
    "$bench" "$@" --json >"$name.json" 2>said || status=$?
    [ "$status" = "$wanted" ] || fail "defrag-bench $*: status $status, not $wanted: $(cat said)"
}

prints replay 0 replay small
prints replay-failed 1 replay --pool=2K small
prints replay-empty 0 replay empty
prints size 0 size small empty
prints size-locked 0 size --lock-fraction=50 --policy=libdefrag small
prints churn 0 churn uniform larson --occupancy=70 --operations=1100
prints churn-paced 0 churn locked --occupancy=70 --operations=1100 --pace=1/2 --policy=libdefrag
prints adversary 0 adversary robson --most=256 --largest=32 --policy=libdefrag --policy=first-fit
prints sawtooth 0 adversary sawtooth --most=256 --largest=20 --policy=libdefrag
prints compare 0 compare --runs=1 --allocator=glibc --policy=libdefrag --policy=tlsf small
cat replay.json replay-failed.json >both
prints gather 0 gather both

# A pool with a used, a locked, an aligned and a free block, and damaged.
cat >pool.c <<'END'
#include <defrag.h>
#include <stdio.h>
DEFRAG_POOL_DEFINE(memory, 2048);
int main(void)
{
    defrag_pool *pool;
    defrag_handle a, b, c, d;
    if (defrag_init(&pool, memory, sizeof memory, NULL) || defrag_alloc(pool, 100, &a) || defrag_alloc(pool, 30, &b)
        || defrag_alloc_request(pool, &(defrag_request){.bytes = 40, .alignment = 64}, &c) || defrag_alloc(pool, 9, &d)
        || defrag_free(pool, &a) || !defrag_lock(pool, b))
        return 1;
    return fwrite(memory, sizeof memory, 1, stdout) != 1;
}
END
quietly $CC -O1 -DDEFRAG_BUILDING -DDEFRAG_WIDE=0 -I"$lib" -o pool pool.c $(lib_c_files)
./pool >image || fail "pool.c"
prints inspect 0 inspect image
prints inspect-address 0 inspect --address=0x20000000 image
head -c 64 /dev/zero | tr '\0' '\377' | dd of=image bs=1 seek=312 conv=notrunc 2>/dev/null
prints inspect-damaged 1 inspect image

"$python" "$sources/tests/schema.py" "$sources/doc/defrag-bench.schema.json" ./*.json
