/* SPDX-License-Identifier: MIT */
/* What build_one.c needs of slide_one.c; builds.h says what it does. */
#ifndef SLIDE_ONE_H
#define SLIDE_ONE_H

#include <defrag.h>

#define build_slide DEFRAG_NAME(build_slide)

void build_slide(defrag_pool *pool, size_t begin, size_t end);

#endif
