/* SPDX-License-Identifier: MIT */
/*
 * The macros on top, as a user writes them: static pools, typed allocation and
 * locks, scoped locks. Compiled as C11 against the library as it is installed,
 * and as C99 (test_macros_c99.c) against the narrow build of alignment 8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "defrag.h"

struct point {
    double x, y;
    int name;
};

struct page {
    char bytes[64];
} __attribute__((aligned(64)));

struct bank {
    char bytes[4096];
} __attribute__((aligned(4096)));

DEFRAG_POOL_DEFINE(file_memory, 8192);

static defrag_pool *pool;

static int fresh_pool(void **state)
{
    (void)state;
    return defrag_init(&pool, file_memory, sizeof file_memory, NULL) == DEFRAG_OK ? 0 : -1;
}

static defrag_handle new_block(size_t bytes)
{
    defrag_handle handle = DEFRAG_NULL;
    assert_int_equal(defrag_alloc(pool, bytes, &handle), DEFRAG_OK);
    return handle;
}

static int is_locked(defrag_handle handle)
{
    void *address;
    if (defrag_try_lock(pool, handle, &address) != 0)
        return 1;
    (void)defrag_unlock(pool, handle);
    return 0;
}

static void pools_are_aligned(void **state)
{
    DEFRAG_POOL_DEFINE(block_memory, 4096);
    defrag_pool *other;
    (void)state;
    assert_int_equal((uintptr_t)file_memory % 16, 0);
    assert_int_equal((uintptr_t)block_memory % 16, 0);
    assert_int_equal(sizeof file_memory, 8192);
    assert_int_equal(defrag_init(&other, block_memory, sizeof block_memory, NULL), DEFRAG_OK);
    assert_ptr_equal(other, block_memory);
}

static void with_locks_its_body(void **state)
{
    defrag_handle handle = new_block(sizeof(struct point));
    int runs = 0;
    (void)state;
    DEFRAG_WITH(struct point, p, pool, handle)
    {
        p->x = 1.5;
        p->name = 7;
        runs++;
        assert_true(is_locked(handle));
    }
    assert_int_equal(runs, 1);
    assert_false(is_locked(handle));
    DEFRAG_WITH_SHARED(struct point, p, pool, handle)
    {
        assert_true(p->x > 1.4 && p->name == 7);
        runs++;
    }
    assert_int_equal(runs, 2);
    assert_false(is_locked(handle));
}

static void break_and_continue_unlock(void **state)
{
    defrag_handle handle = new_block(40);
    int after = 0;
    (void)state;
    DEFRAG_WITH(char, text, pool, handle)
    {
        text[0] = 'a';
        if (text[0] == 'a')
            break;
        after++;
    }
    assert_false(is_locked(handle));
    DEFRAG_WITH(char, text, pool, handle)
    {
        if (text[0] == 'a')
            continue;
        after++;
    }
    assert_false(is_locked(handle));
    for (int i = 0; i < 3; i++)
        DEFRAG_WITH_SHARED(char, text, pool, handle)
        {
            if (text[0] == 'a')
                break;
            after++;
        }
    assert_false(is_locked(handle));
    assert_int_equal(after, 0);
}

/* From inside two scopes. */
static int return_from_inside(defrag_handle a, defrag_handle b)
{
    DEFRAG_WITH(char, text, pool, a)
    {
        DEFRAG_WITH(int, number, pool, b)
        {
            text[0] = 'b';
            *number = 3;
            if (is_locked(a) && is_locked(b))
                return *number;
        }
    }
    return 0;
}

static void return_unlocks(void **state)
{
    defrag_handle a = new_block(40);
    defrag_handle b = new_block(40);
    (void)state;
    assert_int_equal(return_from_inside(a, b), 3);
    assert_false(is_locked(a));
    assert_false(is_locked(b));
}

static void goto_unlocks(void **state)
{
    defrag_handle handle = new_block(40);
    (void)state;
    DEFRAG_WITH(char, text, pool, handle)
    {
        text[0] = 'c';
        goto out;
    }
out:
    assert_false(is_locked(handle));
}

static void break_leaves_the_inner_scope_alone(void **state)
{
    defrag_handle a = new_block(8);
    defrag_handle b = new_block(8);
    int reached = 0;
    (void)state;
    DEFRAG_WITH(char, outer, pool, a)
    {
        DEFRAG_WITH(char, inner, pool, b)
        {
            inner[0] = 1;
            break;
        }
        outer[0] = 1;
        assert_false(is_locked(b));
        assert_true(is_locked(a));
        reached = 1;
    }
    assert_int_equal(reached, 1);
    assert_false(is_locked(a));
}

static void shared_scopes_nest(void **state)
{
    defrag_handle handle = new_block(8);
    int runs = 0;
    (void)state;
    DEFRAG_WITH_SHARED(char, one, pool, handle)
    {
        DEFRAG_WITH_SHARED(char, two, pool, handle)
        {
            assert_ptr_equal(one, two);
            runs++;
        }
        assert_true(is_locked(handle));
    }
    assert_int_equal(runs, 1);
    assert_false(is_locked(handle));
}

/* Stale, null, locked: the body does not run, and the lock that is held stays. */
static void a_failing_lock_skips_the_body(void **state)
{
    defrag_handle handle = new_block(8);
    defrag_handle stale = new_block(8);
    defrag_handle copy = stale;
    int runs = 0;
    (void)state;
    assert_int_equal(defrag_free(pool, &copy), DEFRAG_OK);
    DEFRAG_WITH(char, text, pool, stale)
    {
        text[0] = 0;
        runs++;
    }
    DEFRAG_WITH(char, text, pool, DEFRAG_NULL)
    {
        text[0] = 0;
        runs++;
    }
    DEFRAG_WITH(char, text, pool, handle)
    {
        text[0] = 0;
        DEFRAG_WITH(char, again, pool, handle)
        {
            again[0] = 0;
            runs++;
        }
        DEFRAG_WITH_SHARED(char, again, pool, handle)
        {
            runs += again[0];
            runs++;
        }
        assert_true(is_locked(handle));
    }
    assert_false(is_locked(handle));
    assert_int_equal(runs, 0);
}

static void typed_allocation(void **state)
{
    defrag_handle handle;
    (void)state;
    assert_int_equal(DEFRAG_NEW(struct point, pool, &handle), DEFRAG_OK);
    assert_true(defrag_size(pool, handle) >= sizeof(struct point));
    DEFRAG_WITH(struct point, p, pool, handle)
    {
        assert_int_equal((uintptr_t)p % DEFRAG_ALIGNOF(struct point), 0);
        assert_true(p->x == 0 && p->y == 0 && p->name == 0);
    }
    assert_int_equal(defrag_free(pool, &handle), DEFRAG_OK);
    assert_int_equal(handle.bits, 0);
}

static void typed_slices(void **state)
{
    defrag_handle handle;
    (void)state;
    assert_int_equal(DEFRAG_NEW_SLICE(struct point, pool, 5, &handle), DEFRAG_OK);
    assert_true(defrag_size(pool, handle) >= 5 * sizeof(struct point));
    DEFRAG_WITH(struct point, points, pool, handle)
    {
        for (int i = 0; i < 5; i++)
            assert_true(points[i].x == 0 && points[i].name == 0);
    }
    assert_int_equal(defrag_free(pool, &handle), DEFRAG_OK);
    assert_int_equal(DEFRAG_NEW_SLICE(struct point, pool, 0, &handle), DEFRAG_OK);
    assert_true(defrag_size(pool, handle) < sizeof(struct point));
    assert_int_equal(DEFRAG_NEW_SLICE(struct point, pool, SIZE_MAX / 4, &handle), DEFRAG_BAD_SIZE);
    assert_int_equal(handle.bits, 0);
}

/* More alignment than any pool keeps is refused at run time. */
static void too_much_alignment(void **state)
{
    defrag_handle handle = {1};
    (void)state;
    assert_int_equal(DEFRAG_NEW(struct bank, pool, &handle), DEFRAG_BAD_ARGUMENT);
    assert_int_equal(handle.bits, 0);
}

/* A type that needs more than a granule has it at each lock, wherever compaction brings it. */
static void aligned_types(void **state)
{
    defrag_handle gap = new_block(24);
    defrag_handle handle;
    (void)state;
    assert_int_equal(DEFRAG_NEW_SLICE(struct page, pool, 2, &handle), DEFRAG_OK);
    assert_true(defrag_size(pool, handle) >= 2 * sizeof(struct page));
    DEFRAG_WITH(struct page, page, pool, handle)
    {
        assert_int_equal((uintptr_t)page % 64, 0);
        page[1].bytes[63] = 'z';
    }
    assert_int_equal(defrag_free(pool, &gap), DEFRAG_OK);
    assert_int_equal(defrag_compact(pool), DEFRAG_OK);
    DEFRAG_WITH_SHARED(struct page, page, pool, handle)
    {
        assert_int_equal((uintptr_t)page % 64, 0);
        assert_int_equal(page[0].bytes[0], 0);
        assert_int_equal(page[1].bytes[63], 'z');
    }
}

static void typed_locks(void **state)
{
    defrag_handle handle;
    (void)state;
    assert_int_equal(DEFRAG_NEW(struct point, pool, &handle), DEFRAG_OK);
    struct point *p = DEFRAG_LOCK(struct point, pool, handle);
    assert_non_null(p);
    p->name = 9;
    assert_int_equal(defrag_unlock(pool, handle), DEFRAG_OK);
    const struct point *q = DEFRAG_LOCK_SHARED(struct point, pool, handle);
    assert_non_null(q);
    assert_int_equal(q->name, 9);
    assert_int_equal(defrag_unlock(pool, handle), DEFRAG_OK);
}

static void constants(void **state)
{
    defrag_handle null = DEFRAG_NULL;
    (void)state;
    assert_int_equal(null.bits, 0);
    assert_int_equal(sizeof(defrag_handle), 4);
    assert_int_equal(DEFRAG_OK, 0);
    assert_int_equal(defrag_version(), DEFRAG_VERSION);
    assert_string_equal(defrag_status_string(DEFRAG_STALE), "STALE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pools_are_aligned, fresh_pool),
        cmocka_unit_test_setup(with_locks_its_body, fresh_pool),
        cmocka_unit_test_setup(break_and_continue_unlock, fresh_pool),
        cmocka_unit_test_setup(return_unlocks, fresh_pool),
        cmocka_unit_test_setup(goto_unlocks, fresh_pool),
        cmocka_unit_test_setup(break_leaves_the_inner_scope_alone, fresh_pool),
        cmocka_unit_test_setup(shared_scopes_nest, fresh_pool),
        cmocka_unit_test_setup(a_failing_lock_skips_the_body, fresh_pool),
        cmocka_unit_test_setup(typed_allocation, fresh_pool),
        cmocka_unit_test_setup(typed_slices, fresh_pool),
        cmocka_unit_test_setup(aligned_types, fresh_pool),
        cmocka_unit_test_setup(too_much_alignment, fresh_pool),
        cmocka_unit_test_setup(typed_locks, fresh_pool),
        cmocka_unit_test_setup(constants, fresh_pool),
    };
    return cmocka_run_group_tests_name("macros", tests, NULL, NULL);
}
