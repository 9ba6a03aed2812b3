# SPDX-License-Identifier: MIT
# The release tarball has every file of the repository, and no other but what bootstrap makes.
. "${top_srcdir:?}/tests/package.sh"
export LC_ALL=C
[ -e "$top_srcdir/.git" ] || skip "these sources are no git clone"
command -v git >/dev/null || skip "no git here"

git -c safe.directory='*' -C "$top_srcdir" ls-files | sort >"$scratch/committed"
[ -s "$scratch/committed" ] || fail "git lists no file"
fresh_sources
(cd "$scratch/sources" && find . -type f | sed 's|^\./||' | sort) >"$scratch/shipped"

lacking=$(comm -23 "$scratch/committed" "$scratch/shipped")
[ -z "$lacking" ] || fail "not in the tarball, for want of a line in a Makefile.inc:" $lacking
made=$(comm -13 "$scratch/committed" "$scratch/shipped" |
    grep -v -e '^build-aux/' -e '^m4/l.*\.m4$' -e '^Makefile\.in$' -e '^aclocal\.m4$' \
        -e '^config\.h\.in$' -e '^configure$') || :
[ -z "$made" ] || fail "in the tarball, but not committed:" $made
echo "$(wc -l <"$scratch/committed") files"
