/* SPDX-License-Identifier: MIT */
#include "statuses.h"

#define OK         DEFRAG_OK
#define STALE      DEFRAG_STALE
#define LOCKED     DEFRAG_LOCKED
#define NOT_LOCKED DEFRAG_NOT_LOCKED
#define LOCK_LIMIT DEFRAG_LOCK_LIMIT

const struct statuses_row statuses_table[HANDLE_CALLS] = {
    /* call                   unlocked     1-13 shared 14 shared   exclusive stale  null */
    {"try_lock",             {OK,         LOCKED,     LOCKED,     LOCKED,   STALE, STALE}},
    {"try_lock_shared",      {OK,         OK,         LOCK_LIMIT, LOCKED,   STALE, STALE}},
    {"unlock",               {NOT_LOCKED, OK,         OK,         OK,       STALE, STALE}},
    {"read",                 {OK,         OK,         OK,         LOCKED,   STALE, STALE}},
    {"write",                {OK,         LOCKED,     LOCKED,     LOCKED,   STALE, STALE}},
    {"free",                 {OK,         LOCKED,     LOCKED,     LOCKED,   STALE, OK}},
    {"resize, same granules",{OK,         OK,         OK,         OK,       STALE, STALE}},
    {"resize, smaller",      {OK,         LOCKED,     LOCKED,     LOCKED,   STALE, STALE}},
    {"resize, room behind",  {OK,         OK,         OK,         OK,       STALE, STALE}},
    {"resize, must move",    {OK,         LOCKED,     LOCKED,     LOCKED,   STALE, STALE}},
};

int statuses_of(enum handle_call call, enum handle_state state)
{
    return statuses_table[call].status[state];
}
