/* SPDX-License-Identifier: MIT */
#ifndef DF_CHECK_H
#define DF_CHECK_H

#include "heap.h"

/*
 * Whether every invariant of the pool holds. Trusts `granules` alone; needs
 * neither a configuration nor the critical section.
 */
bool df_check(const defrag_pool *pool);

#endif
