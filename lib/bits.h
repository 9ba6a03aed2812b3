/* SPDX-License-Identifier: MIT */
/* Words, halves and the two bit operations the bins need. */
#ifndef DF_BITS_H
#define DF_BITS_H

#include "port.h"

/*
 * The image is made of words. A word has two halves; a half counts the granules
 * of a pool. Words are read and written whole, so that the drawings in the other
 * files hold on machines of either byte order.
 */
#if DEFRAG_WIDE
typedef uint64_t df_word;
typedef uint32_t df_half;
typedef uint64_t df_map;
#define DF_HALF_BITS 32
#else
typedef uint32_t df_word;
typedef uint16_t df_half;
typedef uint32_t df_map;
#define DF_HALF_BITS 16
#endif

#define DF_HALF_MAX ((df_word)(df_half)-1)
#define DF_WORD     sizeof(df_word)
#define DF_GRANULE  ((size_t)DEFRAG_ALIGNMENT)
#define DF_MAP_BITS (8 * (unsigned)sizeof(df_map))

DF_STATIC_ASSERT(sizeof(int) >= sizeof(uint32_t), "halves are computed with as int, and leading zeros counted of one");

/* Numbers of granules and offsets in granules, as they are computed with. */
typedef uint32_t df_granules;

typedef df_word DF_MAY_ALIAS df_word_alias;
typedef df_half DF_MAY_ALIAS df_half_alias;

/* Byte offset of a word's low half inside it. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DF_LOW_HALF (DF_WORD / 2)
#else
#define DF_LOW_HALF ((size_t)0)
#endif

/* ARMv6-M and older have no instruction for it; the library's own table then beats libgcc's. */
#if defined(__arm__) && !defined(__ARM_FEATURE_CLZ) && !defined(DF_NO_CLZ)
#define DF_NO_CLZ 1
#endif

/* Leading zeros of a number that is not 0. */
DF_INLINE unsigned bits_clz32(uint32_t x)
{
#ifdef DF_NO_CLZ
    /* Spread the top bit down, then a de Bruijn product looks its place up (Leiserson et al. 1998). */
    static const uint8_t place[32] = {31, 22, 30, 21, 18, 10, 29, 2,  20, 17, 15, 13, 9, 6,  28, 1,
                                      23, 19, 11, 3,  16, 14, 7,  24, 12, 4,  8,  25, 5, 26, 27, 0};
    x |= x >> 1;
    x |= x >> 2;
    x |= x >> 4;
    x |= x >> 8;
    x |= x >> 16;
    return place[(x * 0x07c4acddu) >> 27];
#else
    return (unsigned)__builtin_clz(x);
#endif
}

/* The lesser of x, below 2^31, and a constant that is a power of two less 1. */
#ifdef __ARM_FEATURE_SAT
DF_INLINE unsigned bits_at_most(unsigned x, unsigned most)
{
    return most == 31 ? (unsigned)__builtin_arm_usat((int)x, 5) : x < most ? x : most;
}
#else
DF_INLINE unsigned bits_at_most(unsigned x, unsigned most)
{
    return x < most ? x : most;
}
#endif

DF_INLINE unsigned bits_clz_map(df_map x)
{
#if DEFRAG_WIDE
    uint32_t high = (uint32_t)(x >> 32);
    return high ? bits_clz32(high) : 32 + bits_clz32((uint32_t)x);
#else
    return bits_clz32(x);
#endif
}

#endif
