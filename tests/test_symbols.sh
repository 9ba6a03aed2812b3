# SPDX-License-Identifier: MIT
# Which names the libraries define: the public list and nothing without a prefix.
. "${top_srcdir:?}/tests/package.sh"
export LC_ALL=C
cd "$scratch"

defined_in() {
    $NM -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u
}

same() {
    diff "$1" "$2" >&2 || fail "$3"
}

sort "$lib/libdefrag.sym" >listed
[ -s listed ] || fail "lib/libdefrag.sym is empty"
sed -n 's/^DEFRAG_API .*[ *]\(defrag_[a-z_]*\)(.*/\1/p' "$lib/defrag.h" | sort >declared
same listed declared "lib/libdefrag.sym and the declarations of defrag.h differ"
sed -n 's/^#define defrag_.* DEFRAG_NAME(\(.*\))$/\1/p' "$lib/defrag.h" | sort >renamed
same listed renamed "lib/libdefrag.sym and the names that DEFRAG_PREFIX renames differ"

libraries=0
static=$top_builddir/lib/.libs/libdefrag.a
if [ -f "$static" ]; then
    libraries=$((libraries + 1))
    defined_in "$static" >static
    grep '^defrag_' static >public || fail "$static defines nothing public"
    same listed public "lib/libdefrag.sym and what libdefrag.a defines differ"
    ! grep -v -e '^defrag_' -e '^df_' static || fail "libdefrag.a defines names of neither prefix"
fi

shared=$top_builddir/lib/.libs/libdefrag.so
if [ -f "$shared" ]; then
    libraries=$((libraries + 1))
    defined_in -D "$shared" >exported
    same listed exported "lib/libdefrag.sym and what libdefrag.so exports differ"
fi
[ "$libraries" -gt 0 ] || fail "there is no library to look at"

for build in n4 n8 n16 w8 w16; do
    archive=$top_builddir/lib/libdefrag-$build.a
    [ -f "$archive" ] || continue
    libraries=$((libraries + 1))
    defined_in "$archive" >all
    ! grep -v "^${build}_" all || fail "$archive defines names without its prefix"
    sed "s/^${build}_//" all | grep '^defrag_' >public || fail "$archive defines nothing public"
    same listed public "lib/libdefrag.sym and what $archive defines differ"
done
echo "$(wc -l <listed) public functions in $libraries libraries"
