# SPDX-License-Identifier: MIT

# DF_PKG(VARIABLE, MODULE, DEBIAN-PACKAGE)
# ----------------------------------------
# PKG_CHECK_MODULES that notes the Debian package in df_missing where the
# module is not found, so that one message can name all that is missing.
AC_DEFUN([DF_PKG],
[PKG_CHECK_MODULES([$1], [$2], [df_have_$1=yes],
  [df_have_$1=no
   df_missing="$df_missing $3"])
])
