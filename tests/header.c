/* SPDX-License-Identifier: MIT */
/* Compiled as C and as C++ by test_header.sh: every macro of defrag.h in natural use. */
#include <defrag.h>

struct point {
    int x;
    int y;
};

defrag_status use_header(void);

DEFRAG_POOL_DEFINE(memory, 4096);

static int sum(defrag_pool *pool, defrag_handle points)
{
    DEFRAG_WITH_SHARED(struct point, p, pool, points) {
        return p[0].x + p[1].y;
    }
    return 0;
}

static defrag_status fill(defrag_pool *pool, defrag_handle points)
{
    struct point *p = DEFRAG_LOCK(struct point, pool, points);
    if (!p)
        return DEFRAG_LOCKED;
    p->x = 1;
    return defrag_unlock(pool, points);
}

static int peek(defrag_pool *pool, defrag_handle points)
{
    int x = 0;
    const struct point *p = DEFRAG_LOCK_SHARED(struct point, pool, points);
    if (p) {
        x = p->x;
        defrag_unlock(pool, points);
    }
    return x;
}

defrag_status use_header(void)
{
    defrag_pool *pool;
    defrag_handle one = DEFRAG_NULL;
    defrag_handle points = DEFRAG_NULL;
    defrag_status status = defrag_init(&pool, memory, sizeof memory, NULL);
    if (status == DEFRAG_OK)
        status = DEFRAG_NEW(struct point, pool, &one);
    if (status == DEFRAG_OK)
        status = DEFRAG_NEW_SLICE(struct point, pool, 2, &points);
    if (status == DEFRAG_OK)
        status = fill(pool, points);
    DEFRAG_WITH(struct point, p, pool, points) {
        if (p->x == 0)
            break;
        p->y = DEFRAG_VERSION_MAJOR + DEFRAG_VERSION;
    }
    if (sum(pool, points) != peek(pool, one))
        status = DEFRAG_CORRUPT;
    defrag_free(pool, &one);
    defrag_free(pool, &points);
    return status;
}
