# SPDX-License-Identifier: MIT

# DF_BARE_METAL_BEGIN
# -------------------
# Sets df_bare_metal to yes where the host has no operating system. There a
# program does not link until somebody supplies _exit and its like, so that
# AC_PROG_CC would give up. For the time of configure's own tests the C
# library's do-nothing system calls are lent, unless the user's variables say
# already how to link. To be called before AC_PROG_CC.
AC_DEFUN([DF_BARE_METAL_BEGIN],
[AC_REQUIRE([AC_CANONICAL_HOST])dnl
df_bare_metal=no
df_user_LDFLAGS=$LDFLAGS
df_user_CPPFLAGS=$CPPFLAGS
AS_CASE([$host_os],
  [eabi*|elf*|none*],
  [df_bare_metal=yes
   AS_CASE([" $CC $CFLAGS $LDFLAGS $LIBS "],
     [*--specs=*|*-specs=*|*" -T"*|*-nostdlib*|*-nostartfiles*], [],
     [AS_CASE([$host_cpu],
        [riscv*],
        [TARGET_CPPFLAGS=--specs=picolibc.specs
         CPPFLAGS="$CPPFLAGS $TARGET_CPPFLAGS"],
        [LDFLAGS="$LDFLAGS --specs=nosys.specs"])])])
AC_SUBST([TARGET_CPPFLAGS])
])

# DF_BARE_METAL_END
# -----------------
# Gives the user's flags back. To be called after the last link test.
AC_DEFUN([DF_BARE_METAL_END],
[LDFLAGS=$df_user_LDFLAGS
CPPFLAGS=$df_user_CPPFLAGS])

# DF_TARGET_CPU
# -------------
# Sets df_cpu to what the compiler says it compiles for.
AC_DEFUN([DF_TARGET_CPU],
[AC_REQUIRE([AC_PROG_CC])dnl
AC_MSG_CHECKING([which instruction set is compiled for])
df_cpu=$host_cpu
df_macros=`echo | $CC $CFLAGS $CPPFLAGS -dM -E - 2>/dev/null`
df_arch=`AS_ECHO(["$df_macros"]) | sed -n 's/^#define __ARM_ARCH \(.*\)$/\1/p'`
AS_CASE([$df_macros],
  [*"__ARM_ARCH_PROFILE 65"*], [df_profile=-A],
  [*"__ARM_ARCH_PROFILE 77"*], [df_profile=-M],
  [*"__ARM_ARCH_PROFILE 82"*], [df_profile=-R],
  [df_profile=])
AS_IF([test -n "$df_arch"],
  [df_state=ARM
   AS_CASE([$df_macros], [*__thumb2__*|*__thumb__*], [df_state=Thumb])
   AS_CASE([$df_macros], [*__aarch64__*], [df_state=AArch64])
   df_cpu="ARMv$df_arch$df_profile, $df_state state"])
df_xlen=`AS_ECHO(["$df_macros"]) | sed -n 's/^#define __riscv_xlen \(.*\)$/\1/p'`
AS_IF([test -n "$df_xlen"], [df_cpu="RISC-V, $df_xlen bits"])
AC_MSG_RESULT([$df_cpu])
])
