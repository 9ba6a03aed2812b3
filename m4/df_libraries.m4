# SPDX-License-Identifier: MIT

# DF_PKG(VARIABLE, MODULE, DEBIAN-PACKAGE)
# ----------------------------------------
# PKG_CHECK_MODULES that notes the Debian package in df_missing where the
# module is not found, so that one message can name all that is missing. In a
# cross build pkg-config may tell of the libraries of this machine: there the
# linker has to find them, too.
AC_DEFUN([DF_PKG],
[PKG_CHECK_MODULES([$1], [$2], [df_have_$1=yes],
  [df_have_$1=no])
AS_IF([test "$cross_compiling:$df_have_$1" = yes:yes],
  [AC_MSG_CHECKING([whether $2 is there for $host])
   df_LIBS=$LIBS
   LIBS="$[]$1[]_LIBS $LIBS"
   AC_LINK_IFELSE([AC_LANG_PROGRAM()], [], [df_have_$1=no])
   LIBS=$df_LIBS
   AC_MSG_RESULT([$df_have_$1])])
AS_IF([test "$df_have_$1" = no], [df_missing="$df_missing $3"])
])
