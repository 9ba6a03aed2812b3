# SPDX-License-Identifier: MIT

# DF_FUZZING
# ----------
# LIB_FUZZING_ENGINE: what a fuzz target is linked with. If the user sets it, the
# instrumentation is the user's too, in CFLAGS, as fuzzing services have it; else
# it is libFuzzer, and FUZZ_CFLAGS instrument every object of this package.
AC_DEFUN([DF_FUZZING],
[AC_ARG_VAR([LIB_FUZZING_ENGINE],
  [with --enable-fuzzing: how a fuzz target is linked; CFLAGS must instrument then @<:@-fsanitize=fuzzer@:>@])
AS_IF([test -z "$LIB_FUZZING_ENGINE"],
  [LIB_FUZZING_ENGINE=-fsanitize=fuzzer
   FUZZ_CFLAGS="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"])
AC_SUBST([LIB_FUZZING_ENGINE])
AC_SUBST([FUZZ_CFLAGS])
AC_MSG_CHECKING([whether $CC links a fuzz target with $LIB_FUZZING_ENGINE])
df_save_CFLAGS=$CFLAGS
df_save_LIBS=$LIBS
CFLAGS="$CFLAGS $FUZZ_CFLAGS"
LIBS="$LIB_FUZZING_ENGINE $LIBS"
AC_LINK_IFELSE([AC_LANG_SOURCE([[
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return data && size ? 0 : -1; }
]])], [df_links=yes], [df_links=no])
CFLAGS=$df_save_CFLAGS
LIBS=$df_save_LIBS
AC_MSG_RESULT([$df_links])
AS_IF([test "$df_links" = no],
  [AC_MSG_ERROR([--enable-fuzzing: $CC cannot link a fuzz target (see config.log). It needs clang with its
run-time libraries and a C++ library, on Debian:
    apt-get install clang libclang-rt-dev g++
and then: ./configure --enable-fuzzing CC=clang])])
])
