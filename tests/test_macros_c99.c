/* SPDX-License-Identifier: MIT */
/* The same as C99, against one of the prefixed builds. */
#include "test_macros.c"
