#!/bin/bash -eu
# SPDX-License-Identifier: MIT
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite ask: with $CC, $CXX and
# their flags, linked with $LIB_FUZZING_ENGINE, everything put into $OUT. Run in
# a copy of the sources, $SRC/libdefrag there.
: "${LIB_FUZZING_ENGINE:?}" "${OUT:?}" "${WORK:?}"
sources=$(pwd)

[ -x configure ] || ./bootstrap
mkdir -p "$WORK/build"
cd "$WORK/build"
# No cmocka: the targets do not need it. Where they run there is no libzstd.
"$sources/configure" --enable-fuzzing CC="$CC" CFLAGS="$CFLAGS" LIB_FUZZING_ENGINE="$LIB_FUZZING_ENGINE"
make -j"$(nproc)" fuzz/fuzz_{calls,device,image,inspect,trace} CCLD="$CXX $CXXFLAGS" ZSTD_LIBS=-l:libzstd.a

for target in fuzz_calls fuzz_device fuzz_image fuzz_inspect fuzz_trace; do
    name=${target#fuzz_}
    cp "fuzz/$target" "$OUT/"
    cp "$sources/fuzz/$name.options" "$OUT/$target.options"
    zip -q -j -r "$OUT/${target}_seed_corpus.zip" "$sources/fuzz/corpus/$name" "$sources/fuzz/regressions/$name"
done
cp "$sources"/fuzz/*.dict "$OUT/"
