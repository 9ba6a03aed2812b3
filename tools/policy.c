/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <string.h>

const struct policy *const policies[] = {
    &policy_first_fit, &policy_best_fit, &policy_tlsf, &policy_half_fit, &policy_buddy, NULL,
};

const struct policy *policy_find(const char *name)
{
    for (size_t i = 0; policies[i]; i++) {
        if (strcmp(policies[i]->name, name) == 0) {
            return policies[i];
        }
    }
    return NULL;
}

size_t policy_units(const struct policy *policy, unsigned alignment, size_t bytes)
{
    size_t low = 0;
    size_t high = bytes / policy_unit_bytes(policy, alignment) + 1;

    /* pool_bytes() grows with the units: the last that fits lies in [low, high). */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (policy->pool_bytes(alignment, middle) <= bytes) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}
