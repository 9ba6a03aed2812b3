/* SPDX-License-Identifier: MIT */
#include "port.h"

const char *defrag_status_string(defrag_status status)
{
    switch (status) {
    case DEFRAG_OK: return "OK";
    case DEFRAG_MORE: return "MORE";
    case DEFRAG_NO_MEMORY: return "NO_MEMORY";
    case DEFRAG_FRAGMENTED: return "FRAGMENTED";
    case DEFRAG_PINNED: return "PINNED";
    case DEFRAG_NO_HANDLES: return "NO_HANDLES";
    case DEFRAG_BAD_SIZE: return "BAD_SIZE";
    case DEFRAG_BAD_ARGUMENT: return "BAD_ARGUMENT";
    case DEFRAG_STALE: return "STALE";
    case DEFRAG_LOCKED: return "LOCKED";
    case DEFRAG_NOT_LOCKED: return "NOT_LOCKED";
    case DEFRAG_LOCK_LIMIT: return "LOCK_LIMIT";
    case DEFRAG_OUT_OF_RANGE: return "OUT_OF_RANGE";
    case DEFRAG_CORRUPT: return "CORRUPT";
    }
    return "unknown status";
}

uint32_t defrag_version(void)
{
    return DEFRAG_VERSION;
}
