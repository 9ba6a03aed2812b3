# SPDX-License-Identifier: MIT
# The library needs memcpy, memmove, memset and the compiler's runtime, nothing else.
. "${top_srcdir:?}/tests/package.sh"
cd "$scratch"

looked_at=0
for archive in "$top_builddir"/lib/.libs/libdefrag.a "$top_builddir"/lib/libdefrag-*.a; do
    [ -f "$archive" ] || continue
    sh "$top_srcdir/tests/needs.sh" "$NM" "$archive" || fail "$archive needs what is listed above"
    looked_at=$((looked_at + 1))
done
[ "$looked_at" -gt 0 ] || fail "there is no library to look at"
echo "$looked_at archives"
