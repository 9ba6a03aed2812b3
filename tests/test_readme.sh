# SPDX-License-Identifier: MIT
# The README's C program compiles without a warning and prints what the README says.
. "${top_srcdir:?}/tests/package.sh"
cd "$scratch"

# fenced LANGUAGE: the first block of the README in that language.
fenced() {
    awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next }
                             inside && /^```/ { exit }
                             inside' "$top_srcdir/README.md"
}

fenced c >example.c
fenced text >expected
[ -s example.c ] && [ -s expected ] || fail "the README has no program, or not what it prints"

# example COMMAND...: compiles it with the library's part of the command line, runs it, compares.
example() {
    "$@" -o example || fail "it does not compile: $*"
    ./example >printed || fail "it ends with status $?"
    diff expected printed || fail "it prints something else"
}

# With the sources of the library dropped in, so that it is seen to hold in each layout and alignment.
with_sources() {
    example "$compiler" -std=c11 -Wall -Wextra -Wconversion -Werror $2 -I"$lib" example.c $(lib_c_files)
}
for compiler in $(compilers_of gcc clang); do
    for_each_build with_sources
done
[ -s printed ] || skip "neither gcc nor clang is here"

# The commands it names are there.
for command in demo check; do
    grep -q "^\./dev $command" "$top_srcdir/README.md" || fail "the README does not name ./dev $command"
    "$top_srcdir/dev" help | grep -q "^  $command " || fail "./dev has no $command"
done
