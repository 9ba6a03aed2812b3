/* SPDX-License-Identifier: MIT */
/* The page of `defrag-bench report`: one file, without scripts and without anything from elsewhere. */
#ifndef DEFRAG_TOOLS_PAGE_H
#define DEFRAG_TOOLS_PAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "findings.h"

/* The pictures are drawn already. False: see errno. */
bool page_write(const struct findings *findings, FILE *to);

#endif
