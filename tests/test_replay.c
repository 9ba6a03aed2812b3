/* SPDX-License-Identifier: MIT */
/* A replay notices what goes wrong, counts what it says it counts, and locks what it says it locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/replay.h"
#include "tools/xalloc.h"

/* --- Traces written here ------------------------------------------------------------- */

/* One letter an operation, as in a trace file; line numbers are those of a file with one header line. */
struct line {
    char kind;
    uint32_t object;
    uint64_t size;
};

static struct trace trace_of(const struct line *lines, size_t count)
{
    static const char kinds[] = "arflu";
    struct trace trace = {0};
    uint64_t payload = 0, *sizes = xcalloc(count, sizeof *sizes);

    trace.ops = xcalloc(count, sizeof *trace.ops);
    trace.count = count;
    for (size_t i = 0; i < count; i++) {
        trace.ops[i].kind = (uint64_t)(strchr(kinds, lines[i].kind) - kinds) & 0xff;
        trace.ops[i].object = lines[i].object;
        trace.ops[i].size = lines[i].size & TRACE_SIZE_MAX;
        trace.ops[i].line = (uint32_t)i + 2;
        if (lines[i].kind == 'a') {
            trace.summary.objects++;
        }
        if (strchr("arf", lines[i].kind)) {
            payload += lines[i].size - sizes[lines[i].object];
            sizes[lines[i].object] = lines[i].size;
        }
        if (payload > trace.summary.peak_payload) {
            trace.summary.peak_payload = payload;
            trace.summary.peak_line = trace.ops[i].line;
        }
    }
    free(sizes);
    return trace;
}

#define TRACE(...)                                                                                           \
    trace_of((const struct line[]){__VA_ARGS__},                                                             \
             sizeof((const struct line[]){__VA_ARGS__}) / sizeof(struct line))

static struct contender defrag_narrow(void)
{
    return (struct contender){
        .name = CONTENDER_DEFRAG, .build = defrag_build_find("narrow", 8), .alignment = 8};
}

static struct contender of_policy(const struct policy *policy)
{
    return (struct contender){.name = policy->name, .policy = policy, .alignment = 8};
}

static struct replay_result run(struct trace *trace, struct contender contender, size_t bytes,
                                unsigned lock_percent)
{
    struct replay_options options = {.contents = true, .check_every = 1, .lock_percent = lock_percent};
    struct replay_result result;

    assert_true(replay_run_within(trace, &contender, bytes, &options, &result));
    free(trace->ops);
    return result;
}

/* --- Counting ------------------------------------------------------------------------------ */

static void test_refusals_are_counted_and_skipped(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        struct trace trace =
            TRACE({'a', 0, 40}, {'a', 1, 100000}, {'r', 1, 10}, {'l', 1, 0}, {'u', 1, 0}, {'f', 1, 0},
                  {'r', 0, 100000}, {'r', 0, 50}, {'a', 2, 200000}, {'f', 0, 0});
        struct replay_result result = run(&trace, of_policy(policies[i]), 4096, 0);
        assert_int_equal(result.refused, 3);
        assert_int_equal(result.refused_line, 3);
        assert_int_equal(result.skipped, 4);
        assert_int_equal(result.damaged, 0);
        assert_int_equal(result.broken_line, 0);
        assert_int_equal(result.peak_payload, 50);
        assert_false(replay_is_clean(&result));
    }
}

static void test_refusals_of_libdefrag_have_a_reason(void **state)
{
    struct trace trace = TRACE({'a', 0, 1000}, {'a', 1, 1000}, {'a', 2, 4000}, {'f', 0, 0});
    struct replay_result result = run(&trace, defrag_narrow(), 2600, 0);

    (void)state;
    assert_int_equal(result.refused, 1);
    assert_int_equal(result.refused_line, 4);
    assert_string_equal(result.refused_reason, "BAD_SIZE");
    assert_int_equal(result.peak_payload, 2000);
}

static void test_moves_and_metadata_of_libdefrag(void **state)
{
    /* Three of 400 fill the pool; without the outer ones, 800 need the middle one to move. */
    struct trace trace =
        TRACE({'a', 0, 396}, {'a', 1, 396}, {'a', 2, 396}, {'f', 0, 0}, {'f', 2, 0}, {'a', 3, 796});
    struct contender contender = defrag_narrow();
    struct contender_costs costs;
    contender_costs_get(&contender, 0, &costs);
    struct replay_result result = run(&trace, contender, costs.control_bytes + 1200 + 8, 0);

    (void)state;
    assert_true(replay_is_clean(&result));
    assert_int_equal(result.moved_blocks, 1);
    assert_int_equal(result.moved_bytes, 396);
    assert_int_equal(result.longest_pause, 396);
    assert_int_equal(result.peak_payload, 1192);
    /* Two live blocks at the peak; the table holds three slots and its first entry. */
    assert_int_equal(result.metadata_bytes, costs.control_bytes + 8 + 2 * 4);
}

static void test_manual_moves_nothing(void **state)
{
    struct trace trace =
        TRACE({'a', 0, 396}, {'a', 1, 396}, {'a', 2, 396}, {'f', 0, 0}, {'f', 2, 0}, {'a', 3, 796});
    struct contender contender = defrag_narrow();
    struct contender_costs costs;
    contender_costs_get(&contender, 0, &costs);
    contender.manual = true;
    struct replay_result result = run(&trace, contender, costs.control_bytes + 1200 + 8, 0);

    (void)state;
    assert_int_equal(result.refused, 1);
    assert_string_equal(result.refused_reason, "FRAGMENTED");
    assert_int_equal(result.moved_bytes, 0);
}

static void test_a_resize_that_copies_is_a_pause(void **state)
{
    struct trace trace = TRACE({'a', 0, 60}, {'a', 1, 60}, {'r', 0, 300});
    struct replay_result result = run(&trace, of_policy(&policy_first_fit), 4096, 0);

    (void)state;
    assert_true(replay_is_clean(&result));
    assert_int_equal(result.moved_blocks, 1);
    assert_int_equal(result.moved_bytes, 60);
    assert_int_equal(result.longest_pause, 60);
}

static void test_pools_too_small_are_no_pools(void **state)
{
    struct trace trace = TRACE({'a', 0, 1});
    struct contender contender = defrag_narrow();
    struct replay_options options = {0};
    struct replay_result result;

    (void)state;
    assert_false(replay_run(&trace, &contender, 5, &options, &result));
    assert_false(replay_run(&trace, &contender, 65536, &options, &result));
    assert_true(replay_run(&trace, &contender, 65535, &options, &result));
    free(trace.ops);
}

/* The least pool of a policy is its control bytes, where every request fails; a byte less is none. */
static void test_policies_need_their_control_bytes(void **state)
{
    struct trace trace = TRACE({'a', 0, 1});
    struct replay_options options = {.contents = true};

    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        for (unsigned alignment = 4; alignment <= 16; alignment *= 2) {
            struct contender contender = of_policy(policies[i]);
            struct replay_result result;
            contender.alignment = alignment;
            size_t control = contender_pool_bytes(&contender, 0);
            assert_int_not_equal(control, 0);
            assert_false(replay_run_within(&trace, &contender, control - 1, &options, &result));
            assert_true(replay_run_within(&trace, &contender, control, &options, &result));
            assert_int_equal(result.refused, 1);
            assert_int_equal(result.metadata_bytes, control);
        }
    }
    free(trace.ops);
}

/* Nobody has more metadata than pool. */
static void metadata_fits(struct contender contender)
{
    struct trace trace = TRACE({'a', 0, 1}, {'f', 0, 0});
    struct replay_options options = {.contents = true};
    struct replay_result result;
    size_t pools = 0;

    for (size_t bytes = 1; bytes <= 1000; bytes++) {
        if (replay_run_within(&trace, &contender, bytes, &options, &result)) {
            assert_in_range(result.metadata_bytes, 1, bytes);
            pools++;
        }
    }
    assert_in_range(pools, 1, 999);
    free(trace.ops);
}

static void test_metadata_fits_in_the_pool(void **state)
{
    (void)state;
    metadata_fits(defrag_narrow());
    for (size_t i = 0; policies[i]; i++) {
        metadata_fits(of_policy(policies[i]));
    }
}

/* What is in a pool for good is there before the first operation, and when there is none. */
static void control_is_counted(struct contender contender, struct trace trace)
{
    struct contender_costs costs;

    contender_costs_get(&contender, contender_units(&contender, 4096), &costs);
    struct replay_result result = run(&trace, contender, 4096, 0);
    assert_true(replay_is_clean(&result));
    assert_int_not_equal(costs.control_bytes, 0);
    assert_int_equal(result.metadata_bytes, costs.control_bytes);
}

static void test_traces_without_payload_have_metadata(void **state)
{
    (void)state;
    control_is_counted(defrag_narrow(), (struct trace){0});
    control_is_counted(defrag_narrow(), TRACE({'a', 0, 0}, {'f', 0, 0}));
    for (size_t i = 0; policies[i]; i++) {
        control_is_counted(of_policy(policies[i]), (struct trace){0});
        control_is_counted(of_policy(policies[i]), TRACE({'a', 0, 0}, {'f', 0, 0}));
    }
}

/* --- Heaps that are broken -------------------------------------------------------------------- */

static size_t alloc_over_another(policy_heap *heap, size_t bytes)
{
    size_t offset = policy_first_fit.alloc(heap, bytes);
    return bytes == 77 ? offset - 16 : offset;
}

static size_t resize_without_copy(policy_heap *heap, size_t offset, size_t bytes)
{
    policy_first_fit.free(heap, offset);
    return policy_first_fit.alloc(heap, bytes) + 16;
}

static void test_overlapping_blocks_are_noticed(void **state)
{
    struct policy broken = policy_first_fit;
    broken.alloc = alloc_over_another;
    struct trace trace = TRACE({'a', 0, 60}, {'a', 1, 77}, {'f', 0, 0});
    struct replay_result result = run(&trace, of_policy(&broken), 4096, 0);

    (void)state;
    assert_int_equal(result.damaged, 1);
    assert_int_equal(result.damaged_line, 4);
    assert_false(replay_is_clean(&result));
}

static void test_overlaps_are_noticed_at_the_end(void **state)
{
    struct policy broken = policy_first_fit;
    broken.alloc = alloc_over_another;
    struct trace trace = TRACE({'a', 0, 60}, {'a', 1, 77});
    struct replay_result result = run(&trace, of_policy(&broken), 4096, 0);

    (void)state;
    assert_int_equal(result.damaged, 1);
    assert_int_equal(result.damaged_line, 4);
}

static void test_lost_contents_are_noticed_on_resize(void **state)
{
    struct policy broken = policy_first_fit;
    broken.resize = resize_without_copy;
    struct trace trace = TRACE({'a', 0, 60}, {'r', 0, 300});
    struct replay_result result = run(&trace, of_policy(&broken), 4096, 0);

    (void)state;
    assert_int_equal(result.damaged, 2); /* and again at the end */
    assert_int_equal(result.damaged_line, 3);
}

static defrag_status free_is_stale(defrag_pool *pool, defrag_handle *handle)
{
    (void)pool;
    (void)handle;
    return DEFRAG_STALE;
}

static defrag_status check_is_corrupt(const defrag_pool *pool)
{
    (void)pool;
    return DEFRAG_CORRUPT;
}

static void test_senseless_answers_end_the_replay(void **state)
{
    struct contender contender = defrag_narrow();
    struct defrag_build build = *contender.build;
    contender.build = &build;
    build.free = free_is_stale;
    struct trace trace = TRACE({'a', 0, 60}, {'f', 0, 0}, {'a', 1, 60});
    struct replay_result result = run(&trace, contender, 4096, 0);

    (void)state;
    assert_int_equal(result.broken_line, 3);
    assert_string_equal(result.broken_reason, "STALE");
    assert_false(replay_is_clean(&result));

    build = *defrag_narrow().build;
    build.check = check_is_corrupt;
    trace = TRACE({'a', 0, 60}, {'f', 0, 0});
    result = run(&trace, contender, 4096, 0);
    assert_int_equal(result.broken_line, 2);
    assert_string_equal(result.broken_reason, "CORRUPT");
}

/* --- Locks --------------------------------------------------------------------------------------- */

/* Locks and unlocks as they come, but for those of looking at contents, which come in pairs. */
enum { WITNESS_MOST = 64 };

static const struct defrag_build *witnessed;
static struct {
    uint32_t bits;
    bool locks;
} witness[WITNESS_MOST];
static size_t witness_count;

static defrag_status witness_lock(defrag_pool *pool, defrag_handle handle, const void **out)
{
    assert_true(witness_count < WITNESS_MOST);
    witness[witness_count].bits = handle.bits;
    witness[witness_count++].locks = true;
    return witnessed->try_lock_shared(pool, handle, out);
}

static defrag_status witness_unlock(defrag_pool *pool, defrag_handle handle)
{
    witness[witness_count].bits = handle.bits;
    witness[witness_count++].locks = false;
    return witnessed->unlock(pool, handle);
}

struct event {
    uint32_t slot;
    bool locks;
};

static void rotation_expect(struct trace trace, unsigned lock_percent, const struct event *expected,
                            size_t count)
{
    struct contender contender = defrag_narrow();
    struct defrag_build build = *contender.build;
    struct replay_options options = {.lock_percent = lock_percent};
    struct replay_result result;

    witnessed = contender.build;
    witness_count = 0;
    build.try_lock_shared = witness_lock;
    build.unlock = witness_unlock;
    contender.build = &build;
    assert_true(replay_run(&trace, &contender, 200, &options, &result));
    free(trace.ops);
    assert_true(replay_is_clean(&result));
    assert_int_equal(witness_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(witness[i].bits >> 16, expected[i].slot);
        assert_int_equal(witness[i].locks, expected[i].locks);
    }
}

/* Half of three is two (1.5 rounded up), half of four two; the oldest lock goes, the next in turn comes. */
static void test_rotation_goes_round(void **state)
{
    static const struct event expected[] = {
        {1, true},             /* one lives: half, rounded up, is one         */
        {1, false}, {2, true}, /* two: one, handed on                         */
        {3, true},             /* three: two                                  */
        {2, false}, {4, true}, /* four: two, handed on; 3 and 4 are locked    */
        {4, false}, {1, true}, /* 4 freed: two; the next after 3 is 1         */
        {3, false},            /* 3 freed: one is wanted, and 1 is it         */
        {1, false}, {2, true}, /* and it is handed on                         */
        {2, false}, {2, true}, /* 1 freed: of one, one; handed on to itself   */
        {2, false},            /* 2 freed                                     */
    };

    (void)state;
    rotation_expect(TRACE({'a', 0, 8}, {'a', 1, 8}, {'a', 2, 8}, {'a', 3, 8}, {'f', 3, 0}, {'f', 2, 0},
                          {'f', 0, 0}, {'f', 1, 0}),
                    50, expected, sizeof expected / sizeof *expected);
}

/* When the object locked last is freed, the one after it is next, not the first. */
static void test_rotation_keeps_its_place(void **state)
{
    static const struct event expected[] = {{1, true}, {1, false}, {2, true}, {2, false}, {3, true}};

    (void)state;
    rotation_expect(TRACE({'a', 0, 8}, {'a', 1, 8}, {'a', 2, 8}, {'f', 1, 0}), 34, expected,
                    sizeof expected / sizeof *expected);
}

static void test_locks_of_the_trace_pin(void **state)
{
    struct contender contender = defrag_narrow();
    struct contender_costs costs;
    contender_costs_get(&contender, 0, &costs);
    struct trace trace = TRACE({'a', 0, 396}, {'a', 1, 396}, {'a', 2, 396}, {'l', 1, 0}, {'f', 0, 0},
                               {'f', 2, 0}, {'a', 3, 796}, {'u', 1, 0}, {'f', 1, 0});
    struct replay_result result = run(&trace, contender, costs.control_bytes + 1200 + 8, 0);

    (void)state;
    assert_int_equal(result.refused, 1);
    assert_int_equal(result.refused_line, 8);
    assert_string_equal(result.refused_reason, "PINNED");
    assert_int_equal(result.broken_line, 0);
}

static void test_everything_locked_still_runs(void **state)
{
    struct trace trace = TRACE({'a', 0, 100}, {'a', 1, 100}, {'r', 0, 300}, {'f', 1, 0}, {'r', 0, 5},
                               {'l', 0, 0}, {'u', 0, 0}, {'f', 0, 0});
    struct replay_result result = run(&trace, defrag_narrow(), 4096, 100);

    (void)state;
    assert_true(replay_is_clean(&result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_are_counted_and_skipped),
        cmocka_unit_test(test_refusals_of_libdefrag_have_a_reason),
        cmocka_unit_test(test_moves_and_metadata_of_libdefrag),
        cmocka_unit_test(test_manual_moves_nothing),
        cmocka_unit_test(test_a_resize_that_copies_is_a_pause),
        cmocka_unit_test(test_pools_too_small_are_no_pools),
        cmocka_unit_test(test_policies_need_their_control_bytes),
        cmocka_unit_test(test_metadata_fits_in_the_pool),
        cmocka_unit_test(test_traces_without_payload_have_metadata),
        cmocka_unit_test(test_overlapping_blocks_are_noticed),
        cmocka_unit_test(test_overlaps_are_noticed_at_the_end),
        cmocka_unit_test(test_lost_contents_are_noticed_on_resize),
        cmocka_unit_test(test_senseless_answers_end_the_replay),
        cmocka_unit_test(test_rotation_goes_round),
        cmocka_unit_test(test_rotation_keeps_its_place),
        cmocka_unit_test(test_locks_of_the_trace_pin),
        cmocka_unit_test(test_everything_locked_still_runs),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
