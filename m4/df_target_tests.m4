# SPDX-License-Identifier: MIT

# DF_TARGET_MACHINE
# -----------------
# Sets QEMU_MACHINE to the machine of QEMU that runs what the compiler makes,
# df_qemu to the program and df_qemu_package to its Debian package, TARGET_LDFLAGS
# to where its memory is; SMALL_MACHINE to one with 16 KiB of RAM besides. Where
# there is none: df_target_why.
AC_DEFUN([DF_TARGET_MACHINE],
[AC_REQUIRE([DF_TARGET_CPU])dnl
df_target_why=
df_qemu=qemu-system-arm
df_qemu_package=qemu-system-arm
TARGET_LDFLAGS='-Wl,-T,$(top_srcdir)/tests/target/mps2.ld --specs=rdimon.specs -nostartfiles'
df_float=`AS_ECHO(["$df_macros"]) | sed -n 's/^#define __ARM_FP \(.*\)$/\1/p'`
AS_CASE([$df_arch$df_profile:$df_state:$df_xlen],
  [6-M:*], [QEMU_MACHINE=mps2-an385 SMALL_MACHINE=microbit],
  [7-M:*],
  [AS_CASE([$df_macros:$df_float],
     [*__ARM_FEATURE_DSP*:12|*__ARM_FEATURE_DSP*:14], [QEMU_MACHINE=mps2-an500],
     [*__ARM_FEATURE_DSP*], [QEMU_MACHINE=mps2-an386],
     [QEMU_MACHINE=mps2-an385])],
  [8-M:*],
  [AS_CASE([$df_macros],
     [*__ARM_ARCH_8_1M_MAIN__*], [df_target_why="no machine for ARMv8.1-M here"],
     [QEMU_MACHINE=mps2-an505
      TARGET_LDFLAGS="$TARGET_LDFLAGS -Wl,--defsym=rom=0x10000000,--defsym=ram=0x80000000"])],
  [4:ARM:*|5:ARM:*],
  [QEMU_MACHINE=versatilepb
   TARGET_LDFLAGS="$TARGET_LDFLAGS -Wl,--defsym=ram=0x1000000"],
  [*:32|*:64],
  [QEMU_MACHINE=virt
   df_qemu=qemu-system-riscv$df_xlen
   df_qemu_package=qemu-system-misc
   TARGET_LDFLAGS='--oslib=semihost --crt0=hosted -Wl,--wrap=main -Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=4M -Wl,--defsym=__ram=0x80400000,--defsym=__ram_size=16M,--defsym=__stack_size=64K'],
  [df_target_why="no machine for $df_cpu here"])
])

# DF_TARGET_TESTS
# ---------------
# Whether the tests of a bare-metal build can run, under QEMU. Sets df_tests,
# df_target_why where they cannot, and what DF_TARGET_MACHINE does. Such tests link with
# tests/target/ in place of cmocka. To be called after DF_TARGET_CPU, and before
# DF_BARE_METAL_END.
AC_DEFUN([DF_TARGET_TESTS],
[AC_REQUIRE([DF_TARGET_CPU])dnl
AS_IF([test "$df_bare_metal" = yes],
  [DF_TARGET_MACHINE
   AC_CHECK_PROGS([QEMU], [$df_qemu], [])
   CMOCKA_CFLAGS='-I$(top_srcdir)/tests/target'
   TARGET_LDFLAGS="$TARGET_CPPFLAGS $TARGET_LDFLAGS"
   AS_IF([test "$df_qemu" = qemu-system-arm],
     [AC_CHECK_LIB([rdimon], [initialise_monitor_handles], [:],
        [df_target_why="librdimon of newlib was not found"], [-lc])])
   AS_IF([test -z "$df_target_why"], [df_tests=yes])])
AM_CONDITIONAL([SMALL_MACHINE], [test "$df_tests:$SMALL_MACHINE" = yes:microbit])
AC_SUBST([QEMU_MACHINE])
AC_SUBST([SMALL_MACHINE])
AC_SUBST([df_target_why])
AC_SUBST([TARGET_LDFLAGS])
])
