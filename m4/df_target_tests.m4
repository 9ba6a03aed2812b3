# SPDX-License-Identifier: MIT

# DF_TARGET_TESTS
# ---------------
# Whether the tests of a bare-metal build can run, under QEMU. Sets df_tests,
# df_target_why where they cannot, and QEMU_MACHINE. Such tests link with
# tests/target/ in place of cmocka. To be called after DF_TARGET_CPU, and before
# DF_BARE_METAL_END.
AC_DEFUN([DF_TARGET_TESTS],
[AC_REQUIRE([DF_TARGET_CPU])dnl
AS_IF([test "$df_bare_metal" = yes],
  [df_target_why=
   AS_CASE([$df_arch$df_profile:$df_macros],
     [7-M:*__ARM_FEATURE_DSP*], [QEMU_MACHINE=mps2-an386],
     [6-M:*|7-M:*], [QEMU_MACHINE=mps2-an385],
     [*-M:*], [df_target_why="no machine for ARMv$df_arch$df_profile here"],
     [df_target_why="they need a Cortex-M"])
   AC_CHECK_LIB([rdimon], [initialise_monitor_handles], [:],
     [df_target_why="they need newlib's librdimon"], [-lc])
   AC_CHECK_PROGS([QEMU], [qemu-system-arm], [])
   CMOCKA_CFLAGS='-I$(top_srcdir)/tests/target'
   AS_IF([test -z "$df_target_why"], [df_tests=yes])])
AC_SUBST([QEMU_MACHINE])
])
