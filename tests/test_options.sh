# SPDX-License-Identifier: MIT
# configure refuses values it does not know, and says what it decided.
. "${top_srcdir:?}/tests/package.sh"
fresh_sources

# refused NAME WORDS OPTION...: configure fails, and its message has the words.
refused() {
    name=$1 words=$2
    shift 2
    ! configured "$name" "$@" || fail "configure took $*"
    grep -q "error: .*$words" "$scratch/$name/output" || {
        tail -n 3 "$scratch/$name/output" >&2
        fail "the message for $* does not say '$words'"
    }
}

# decided NAME LAYOUT ALIGNMENT OPTION...: configure succeeds, and the .pc file says the same.
decided() {
    name=$1 layout=$2 alignment=$3
    shift 3
    configured "$name" --disable-tools "$@" || {
        tail -n 5 "$scratch/$name/output" >&2
        fail "configure $*"
    }
    grep -q "layout  *$layout, alignment $alignment\$" "$scratch/$name/output" ||
        fail "the summary for '$*' does not say $layout, $alignment"
    grep -qx "layout=$layout" "$scratch/$name/libdefrag.pc" || fail "libdefrag.pc: layout, $*"
    grep -qx "alignment=$alignment" "$scratch/$name/libdefrag.pc" || fail "libdefrag.pc: alignment, $*"
}

refused layout "unknown layout" --with-layout=broad
refused layout-yes "unknown layout" --with-layout
refused alignment "unknown alignment" --with-alignment=32
refused alignment-no "unknown alignment" --without-alignment
refused wide-4 "needs --with-layout=narrow" --with-layout=wide --with-alignment=4
refused debug "yes or no" --enable-debug=maybe
refused hardening "yes or no" --enable-hardening=some
refused scramble "yes or no" --enable-scramble=often
refused valgrind "yes or no" --enable-valgrind=memcheck
refused no-valgrind "needs valgrind/memcheck.h" --enable-valgrind ac_cv_header_valgrind_memcheck_h=no
grep -qx "    apt-get install valgrind" "$scratch/no-valgrind/output" || fail "it does not name the package"
refused tools "yes or no" --enable-tools=some
decided narrow-4 narrow 4 --with-layout=narrow --with-alignment=4
decided hardened narrow 8 --with-layout=narrow --enable-hardening
grep -q "hardening  *yes\$" "$scratch/hardened/output" || fail "the summary does not say that it hardens"
decided no-scramble narrow 8 --with-layout=narrow --disable-scramble
grep -q "scramble flag  *no\$" "$scratch/no-scramble/output" || fail "the summary does not say that the flag is refused"
decided for-valgrind narrow 8 --with-layout=narrow --enable-valgrind ac_cv_header_valgrind_memcheck_h=yes
grep -q "tells Valgrind  *yes\$" "$scratch/for-valgrind/output" || fail "the summary does not say that it tells Valgrind"
grep -q "^[^#]*DEFRAG_VALGRIND=1" "$scratch/for-valgrind/Makefile" || fail "the library is not compiled for Valgrind"
decided wide-16 wide 16 --with-layout=wide --with-alignment=16

# They hold for the library that is installed, not for the builds that the tests compare with the model.
for choice in hardened:DEFRAG_HARDENING=1 no-scramble:DEFRAG_NO_SCRAMBLE=1; do
    folder=$scratch/${choice%%:*} macro=${choice#*:}
    "$MAKE" -n -C "$folder" lib/libdefrag.la | grep -q "$macro" || fail "the library is not compiled with $macro"
    ! "$MAKE" -n -C "$folder" lib/libdefrag-n8.a | grep -q "$macro" || fail "the build n8 is compiled with $macro"
done

# Without the flag, init refuses it, and knows the other one.
cat >"$scratch/flags.c" <<'END'
#include <defrag.h>
int main(void)
{
    static unsigned char memory[4096];
    const defrag_config scramble = {.flags = DEFRAG_SCRAMBLE}, manual = {.flags = DEFRAG_MANUAL};
    defrag_pool *pool;
    if (defrag_init(&pool, memory, sizeof memory, &manual) != DEFRAG_OK)
        return 1;
    return defrag_init(&pool, memory, sizeof memory, &scramble) == DEFRAG_BAD_ARGUMENT ? 0 : 2;
}
END
quietly $CC -std=c11 -I"$lib" -DDEFRAG_BUILDING -DDEFRAG_NO_SCRAMBLE=1 "$scratch/flags.c" $(lib_c_files) -o "$scratch/flags"
"$scratch/flags" || fail "a library without the flag: init's answer is wrong ($?)"
