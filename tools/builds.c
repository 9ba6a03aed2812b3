/* SPDX-License-Identifier: MIT */
#include "builds.h"

#include <string.h>

extern const struct defrag_build n4_build, n8_build, n16_build, w8_build, w16_build;

const struct defrag_build *const defrag_builds[] = {
    &n4_build, &n8_build, &n16_build, &w8_build, &w16_build, NULL,
};

const struct defrag_build *defrag_build_find(const char *layout, unsigned alignment)
{
    for (const struct defrag_build *const *build = defrag_builds; *build; build++)
        if ((*build)->alignment == alignment && strcmp((*build)->layout, layout) == 0)
            return *build;
    return NULL;
}
