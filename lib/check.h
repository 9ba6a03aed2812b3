/* SPDX-License-Identifier: MIT */
#ifndef DF_CHECK_H
#define DF_CHECK_H

#include "heap.h"

/*
 * Whether every invariant of the pool holds. Trusts `granules` alone; needs
 * neither a configuration nor the critical section.
 */
bool df_check(const defrag_pool *pool);

/* What a hardened build demands before a call that relies on the whole pool, and is O(B + S) anyway. */
DF_INLINE bool check_is_passed(const defrag_pool *pool)
{
    return !DEFRAG_HARDENING || df_check(pool);
}

#endif
