# SPDX-License-Identifier: MIT
# The README's C program compiles without a warning and prints what the README says;
# its wrong ones get the diagnostics that it shows.
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

# The wrong programs, and what the compilers that they were shown to say of them.
fenced "c wrong.c" >wrong.c
fenced "c careless.c" >careless.c
fenced "text clang" >clang.expected
fenced "text gcc" >gcc.expected
for file in wrong.c careless.c clang.expected gcc.expected; do
    [ -s $file ] || fail "the README does not show $file"
done
# version COMPILER MACRO
version() {
    echo "$2" | "$1" -E -P - 2>/dev/null || echo "none of $1"
}
if [ "$(version clang __clang_major__)" = 14 ]; then
    clang -Wall -Wthread-safety -I"$lib" -fsyntax-only wrong.c 2>&1 | grep -v ' generated\.$' >said
    diff clang.expected said || fail "clang says something else of wrong.c"
else
    echo "NOTE: no clang 14 here; what the README shows of it is not compared"
fi
if [ "$(version gcc __GNUC__)" = 12 ]; then
    LC_ALL=C gcc -O2 -Wall -I"$lib" -S careless.c 2>&1 | grep warning: | sort -u >said
    diff gcc.expected said || fail "gcc says something else of careless.c"
else
    echo "NOTE: no gcc 12 here; what the README shows of it is not compared"
fi

# What the sanitizers say of the program that keeps a pointer; addresses are other ones each time.
fenced "c late.c" >late.c
fenced "text asan" | sed 's/0x[0-9a-fA-F]*/0x/g' >asan.expected
fenced "text valgrind" | sed 's/0x[0-9a-fA-F]*/0x/g' >valgrind.expected
[ -s late.c ] && [ -s asan.expected ] && [ -s valgrind.expected ] || fail "the README does not show late.c"
late="-g -DDEFRAG_BUILDING -DDEFRAG_WIDE=1 -I$lib late.c"
if gcc -fsanitize=address $late $(lib_c_files) -o late 2>/dev/null; then
    # Where addresses are at random with many bits, gcc 12's does not always find room.
    steady=
    ! setarch -R true 2>/dev/null || steady='setarch -R'
    ! $steady ./late >report 2>&1 || fail "late.c runs to its end"
    sed -n -e 's/^==[0-9]*==//' -e 's/ at pc .*//' -e 's|[^ ]*/late\.c|late.c|' -e 's/0x[0-9a-fA-F]*/0x/g' \
        -e '/^ERROR:/p' -e '/^WRITE/p' -e '/#0/{p;q;}' report >said
    diff asan.expected said || fail "AddressSanitizer says something else of late.c"
else
    echo "NOTE: gcc has no AddressSanitizer here; what the README shows of it is not compared"
fi
if command -v valgrind >/dev/null && gcc -DDEFRAG_VALGRIND=1 $late $(lib_c_files) -o late 2>/dev/null; then
    valgrind ./late >report 2>&1 || fail "late.c ends with status $?"
    sed -n -e 's/^==[0-9]*== //' -e 's/0x[0-9a-fA-F]*/0x/g' \
        -e '/^Invalid/p' -e '/late\.c:14/p' -e '/^ Address/{p;q;}' report >said
    diff valgrind.expected said || fail "Valgrind says something else of late.c"
else
    echo "NOTE: no gcc and Valgrind here; what the README shows of them is not compared"
fi

# The commands it names are there.
for command in demo check; do
    grep -q "^\./dev $command" "$top_srcdir/README.md" || fail "the README does not name ./dev $command"
    "$top_srcdir/dev" help | grep -q "^  $command " || fail "./dev has no $command"
done
