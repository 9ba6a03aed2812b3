# SPDX-License-Identifier: MIT
# defrag.h compiles pedantically in each dialect, and natural code with its macros does.
. "${top_srcdir:?}/tests/package.sh"

strict="-I$lib -fsyntax-only -pedantic-errors -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror"
source=$top_srcdir/tests/header.c
dialects=0

# dialect LANGUAGE STANDARD COMPILER [OPTION...]
dialect() {
    language=$1 standard=$2 compiler=$3
    shift 3
    "$compiler" -x "$language" -std="$standard" $strict "$@" "$source" ||
        fail "$compiler -std=$standard"
    dialects=$((dialects + 1))
}

for compiler in $(compilers_of gcc clang); do
    for standard in c99 c11 c17 c2x; do
        dialect c $standard $compiler
    done
done
for compiler in $(compilers_of clang); do
    dialect c c11 $compiler -Wthread-safety
done
for compiler in $(compilers_of g++ clang++); do
    for standard in c++11 c++17 c++20; do
        dialect c++ $standard $compiler -Wold-style-cast -Wcast-qual
    done
done
[ "$dialects" -gt 0 ] || skip "neither gcc nor clang is here"

# What a device records with, in a program that has nothing else.
printf '#include <defrag_record.h>\n' >"$scratch/record.c"
for compiler in $(compilers_of gcc clang); do
    for standard in c99 c11; do
        "$compiler" -std=$standard $strict -ffreestanding -I"$top_srcdir/tools" "$scratch/record.c" ||
            fail "defrag_record.h alone, $compiler -std=$standard"
    done
done
for compiler in $(compilers_of g++ clang++); do
    "$compiler" -x c++ -std=c++11 $strict -I"$top_srcdir/tools" "$scratch/record.c" ||
        fail "defrag_record.h alone, $compiler"
done

# The header's own text stands alone: nothing has to come before it.
for compiler in $(compilers_of gcc clang); do
    echo '#include <defrag.h>' | "$compiler" -x c -std=c99 $strict - || fail "defrag.h alone, $compiler"
done
echo "$dialects dialects"
