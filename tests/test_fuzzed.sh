# SPDX-License-Identifier: MIT
# Whatever lib/libdefrag.sym lists is called by the fuzz targets, and by their
# committed inputs: on a sound pool by fuzz_calls, on a damaged one by fuzz_image.
. "${top_srcdir:?}/tests/package.sh"
calls=$top_builddir/fuzz/replay_calls image=$top_builddir/fuzz/replay_image
[ -x "$calls" ] && [ -x "$image" ] || skip "configured without cmocka: the fuzz targets are not here"

"$calls" -s >"$scratch/calls" || fail "replay_calls"
"$image" -s >"$scratch/image" || fail "replay_image"

# called TARGET NAME: some input does, as what it shows says.
called() {
    case $1:$2 in
    *:defrag_status_string | *:defrag_version) ;; # of no pool
    calls:defrag_init) grep -q '^# build ' "$scratch/calls" ;;
    calls:defrag_detach) grep -q '^#   migrate *$' "$scratch/calls" ;;
    calls:defrag_statistics_get) grep -q '^#   statistics *$' "$scratch/calls" ;;
    calls:defrag_check) grep -q 'build->check(' "$top_srcdir/tests/model.c" ;; # after each call
    image:defrag_init | image:defrag_attach) grep -q '^damage$' "$scratch/image" ;;
    calls:*) grep -q "^#   ${2#defrag_} " "$scratch/calls" ;;
    image:*) grep -q "^${2#defrag_}: " "$scratch/image" ;;
    esac
}

count=0
while read -r name; do
    for target in calls image; do
        called $target "$name" || fail "$name is not called by any of fuzz/corpus/$target"
    done
    count=$((count + 1))
done <"$lib/libdefrag.sym"
[ "$count" -gt 0 ] || fail "lib/libdefrag.sym is empty"

# And each kind of call, be it a function or not.
for kind in $(sed -n '/^const char \*const ops_names/,/^};/s/"\([a-z_]*\)",*/\1/gp' "$top_srcdir/tests/ops.c"); do
    grep -q "^#   $kind " "$scratch/calls" || grep -q "^#   $kind\$" "$scratch/calls" || fail "no input of fuzz/corpus/calls does: $kind"
done
echo "$count functions"
