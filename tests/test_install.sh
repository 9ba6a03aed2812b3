# SPDX-License-Identifier: MIT
# The tarball's files, installed into a scratch prefix, serve a program that is
# built with nothing but what pkg-config says; afterwards uninstall leaves nothing.
. "${top_srcdir:?}/tests/package.sh"
command -v pkg-config >/dev/null || skip "no pkg-config here"

prefix=$scratch/prefix
tools=--disable-tools
[ "${TOOLS:-no}" = no ] || tools=--enable-tools
fresh_sources
configured build --prefix="$prefix" $tools CC="$CC" || {
    tail -n 20 "$scratch/build/output" >&2
    fail "configure"
}
cd "$scratch/build"
quietly "$MAKE" -j2
quietly "$MAKE" install

for file in include/defrag.h include/defrag_record.h lib/libdefrag.a lib/libdefrag.so lib/pkgconfig/libdefrag.pc \
    share/man/man3/libdefrag.3; do
    [ -f "$prefix/$file" ] || fail "not installed: $file"
done
headers=2
if [ "$tools" = --enable-tools ]; then
    headers=3
    [ -f "$prefix/include/defrag_plugin.h" ] || fail "not installed: defrag_plugin.h"
    for file in man/man1/defrag-bench.1 libdefrag/defrag-gdb.py bash-completion/completions/defrag-bench \
        zsh/site-functions/_defrag-bench; do
        [ -f "$prefix/share/$file" ] || fail "not installed: $file"
    done
    quietly "$prefix/bin/defrag-bench" --version
fi
[ "$(find "$prefix/include" -type f | wc -l)" -eq $headers ] || fail "more than $headers headers are installed"

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
consumer=$top_srcdir/tests/consumer.c

$CC "$consumer" $(pkg-config --cflags --libs libdefrag) -o shared || fail "the shared library does not link"
LD_LIBRARY_PATH="$prefix/lib" ./shared >version || fail "the program with the shared library"
LD_LIBRARY_PATH="$prefix/lib" ldd ./shared | grep -q " $prefix/lib/libdefrag\.so" ||
    fail "the program did not need the shared library"
[ "$(cat version)" = "$(pkg-config --modversion libdefrag)" ] || fail "libdefrag.pc has another version"

$CC "$consumer" -static $(pkg-config --static --cflags --libs libdefrag) -o static ||
    fail "the static library does not link"
[ "$(./static)" = "$(cat version)" ] || fail "the program with the static library"

quietly "$MAKE" uninstall
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || fail "uninstall left $left"
