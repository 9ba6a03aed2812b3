/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a pool and a sequence of calls, in the form that tests/ops.h
 * describes. After each call everything is compared with the model, and
 * defrag_check() finds the pool in order; at the end everything can be freed.
 */
#include "fuzz.h"

#include <stdio.h>

#include "tests/driver.h"

const char fuzz_name[] = "calls";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct driver driver;
    struct ops_pool pool;
    ops_decode_pool(data, size, &pool);
    const struct defrag_build *build = driver_build(&pool);
    support_context("%s, %zu bytes", build->name, pool.bytes);
    if (!driver_open(&driver, build, &pool, OPS_REGISTERS, fuzz_shows() ? stdout : NULL))
        return 0;
    for (size_t at = OPS_POOL_BYTES; at + OPS_CALL_BYTES <= size; at += OPS_CALL_BYTES) {
        struct ops_record record;
        ops_decode(data + at, &record);
        driver_do(&driver, &record);
    }
    driver_close(&driver);
    return 0;
}
