/* SPDX-License-Identifier: MIT */
/* Apart from support.c, so that a program can have another list in its place. */
#include "support.h"

extern const struct defrag_build hn4_build, hn8_build, hn16_build, hw8_build, hw16_build;

const struct defrag_build *const support_hardened[] = {
    &hn4_build, &hn8_build, &hn16_build, &hw8_build, &hw16_build, NULL,
};
