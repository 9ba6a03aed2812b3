/* SPDX-License-Identifier: MIT */
/* What `defrag-bench --json` prints is JSON, and says what the tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static char trace_path[] = "/tmp/defrag-json-\xc3\xa4.XXXXXX";

static int trace_write(void **state)
{
    static const char text[] = "defrag-trace 1\n# program: hand \"made\"\n# pointer-bits: 64\n"
                               "a 1 100\na 2 200\nf 1\nr 2 300\na 3 1000\nf 2\n";
    int file = mkstemp(trace_path);

    (void)state;
    if (file < 0 || write(file, text, sizeof text - 1) != (ssize_t)sizeof text - 1) {
        return -1;
    }
    return close(file);
}

static int trace_remove(void **state)
{
    (void)state;
    return unlink(trace_path);
}

/* What the command prints of the last argument; it ends with that status. */
static json_t *answer(const char *arguments, const char *last, int status)
{
    const char *folder = getenv("top_builddir");
    char command[1000];
    json_error_t error;

    snprintf(command, sizeof command, "'%s'/tools/defrag-bench %s '%s'", folder ? folder : ".", arguments,
             last);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    json_t *value = json_loadf(output, JSON_REJECT_DUPLICATES, &error);
    EXPECT(value != NULL, "%s: line %d: %s", arguments, error.line, error.text);
    int end = pclose(output);
    EXPECT(WIFEXITED(end) && WEXITSTATUS(end) == status, "%s: status %d", arguments, WEXITSTATUS(end));
    return value;
}

static json_int_t integer(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    EXPECT(json_is_integer(value), "%s is no integer", key);
    return json_integer_value(value);
}

static const char *text(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    EXPECT(json_is_string(value), "%s is no text", key);
    return json_string_value(value);
}

static void expect_trace(json_t *trace)
{
    assert_string_equal(text(trace, "path"), trace_path);
    assert_int_equal(integer(trace, "operations"), 6);
    assert_int_equal(integer(trace, "objects"), 3);
    assert_int_equal(integer(trace, "peak_payload"), 1300);
    assert_string_equal(text(json_object_get(trace, "metadata"), "program"), "hand \"made\"");
    assert_string_equal(text(json_object_get(trace, "metadata"), "pointer-bits"), "64");
}

static void expect_head(json_t *value, const char *command, size_t contenders)
{
    assert_string_equal(text(value, "command"), command);
    assert_string_equal(text(value, "version"), DEFRAG_VERSION_STRING);
    assert_string_equal(text(value, "layout"), "narrow");
    assert_int_equal(integer(value, "alignment"), 8);
    assert_int_equal(json_array_size(json_object_get(value, "policies")), contenders);
}

static void test_size(void **state)
{
    static const char *const names[] = {"libdefrag", "first-fit", "best-fit", "tlsf", "half-fit", "buddy"};
    json_t *value = answer("size --json", trace_path, 0);
    json_t *trace = json_array_get(json_object_get(value, "traces"), 0);

    (void)state;
    expect_head(value, "size", 6);
    expect_trace(trace);
    assert_int_equal(integer(trace, "allocated_bytes"), 1400);
    json_t *costs = json_object_get(json_array_get(json_object_get(trace, "results"), 0), "costs");
    assert_int_equal(json_array_size(costs), 2);
    assert_int_equal(integer(json_array_get(costs, 0), "moved_bytes"), 300);
    for (size_t i = 0; i < 6; i++) {
        json_t *result = json_array_get(json_object_get(trace, "results"), i);
        assert_string_equal(text(result, "policy"), names[i]);
        double ratio = json_real_value(json_object_get(result, "ratio"));
        double expected = (double)integer(result, "bytes") / 1300;
        assert_true(ratio > expected * 0.9999 && ratio < expected * 1.0001);
        json_t *reach = json_object_get(result, "tried_up_to_bytes");
        assert_true(strcmp(names[i], "buddy") == 0 ? json_is_integer(reach) : json_is_null(reach));
    }
    json_decref(value);
}

static void test_replay(void **state)
{
    json_t *value = answer("replay --json --policy=first-fit --pool=800", trace_path, 1);
    json_t *result = json_array_get(json_object_get(value, "results"), 0);

    (void)state;
    expect_head(value, "replay", 1);
    expect_trace(json_object_get(value, "trace"));
    assert_int_equal(integer(value, "pool_bytes"), 800);
    assert_string_equal(text(result, "policy"), "first-fit");
    assert_int_equal(integer(result, "failed"), 1);
    assert_int_equal(integer(result, "first_failed_line"), 8);
    assert_string_equal(text(result, "first_failure"), "no block large enough");
    assert_int_equal(integer(result, "skipped"), 0);
    assert_int_equal(integer(result, "damaged"), 0);
    assert_int_equal(integer(result, "stopped_line"), 0);
    assert_int_equal(integer(result, "peak_payload"), 300);
    assert_int_equal(integer(result, "moved_bytes"), 0);
    json_decref(value);
}

static void test_compare(void **state)
{
    static const char *const times[] = {"mean", "median", "percentile_99"};
    json_t *value = answer("compare --json --runs=2 --pool=4K -p tlsf -p libdefrag", trace_path, 0);
    json_t *trace = json_array_get(json_object_get(value, "traces"), 0);
    json_t *results = json_object_get(trace, "results");

    (void)state;
    expect_head(value, "compare", 2);
    expect_trace(json_object_get(trace, "trace"));
    assert_int_equal(integer(trace, "pool_bytes"), 4096);
    assert_int_equal(integer(value, "runs"), 2);
    assert_string_equal(text(value, "base"), "libdefrag");
    assert_true(integer(value, "clock_tick_nanoseconds") >= 1);
    static const char *const kinds[] = {"policy", "libdefrag", "malloc"};
    for (size_t i = 0; i < 3; i++) {
        json_t *allocator = json_array_get(json_object_get(value, "allocators"), i);
        json_t *result = json_array_get(results, i);
        assert_string_equal(text(allocator, "kind"), kinds[i]);
        assert_true(json_is_null(json_object_get(allocator, "file")));
        assert_string_equal(text(result, "allocator"), text(allocator, "name"));
        assert_true(json_is_null(json_object_get(result, "fault")));
        assert_int_equal(integer(result, "failed"), 0);
        for (size_t j = 0; j < 3; j++) {
            json_t *runs = json_object_get(json_object_get(result, times[j]), "nanoseconds");
            assert_int_equal(json_array_size(runs), i == 0 ? 0 : 2);
        }
    }
    json_t *defrag = json_array_get(results, 1);
    assert_true(integer(defrag, "footprint_bytes") > 1300);
    assert_true(integer(defrag, "most_used_bytes") > 1300);
    assert_true(json_real_value(json_object_get(defrag, "footprint_ratio")) == 1);
    assert_int_equal(integer(json_array_get(results, 0), "moved_bytes"), 0);
    json_decref(value);
}

static void test_adversary(void **state)
{
    json_t *value =
        answer("adversary --json --most=256 --largest=16 --policy=libdefrag --policy=best-fit", "robson", 0);
    json_t *adversary = json_array_get(json_object_get(value, "adversaries"), 0);
    json_t *results = json_object_get(adversary, "results");

    (void)state;
    expect_head(value, "adversary", 2);
    assert_string_equal(text(adversary, "adversary"), "robson");
    assert_int_equal(integer(adversary, "most_units"), 256);
    assert_int_equal(integer(adversary, "largest_units"), 16);
    assert_int_equal(integer(adversary, "unit_bytes"), 32);
    json_t *moving = json_array_get(results, 0), *other = json_array_get(results, 1);
    assert_string_equal(text(moving, "policy"), "libdefrag");
    assert_int_equal(integer(moving, "bound_bytes"), 256 * 32);
    assert_int_equal(integer(moving, "heap_bytes"),
                     256 * 32 + integer(moving, "control_bytes") + integer(moving, "table_bytes"));
    assert_int_equal(integer(moving, "table_bytes"), 256 * 4);
    assert_true(integer(moving, "moved_bytes") >= integer(moving, "floor_bytes"));
    assert_true(integer(moving, "floor_bytes") > 0 && integer(moving, "moving_requests") > 0);
    assert_int_equal(integer(other, "bound_bytes"), (256 * 3 - 16 + 1) * 32);
    assert_int_equal(integer(other, "heap_bytes"), integer(other, "bound_bytes") + 16);
    assert_int_equal(integer(other, "moved_bytes"), 0);
    json_decref(value);
    value = answer("adversary --json --policy=first-fit", "best-fit", 0);
    adversary = json_array_get(json_object_get(value, "adversaries"), 0);
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(adversary, "results"), 0), "bound_bytes")));
    json_decref(value);
}

/* At one occupancy; the first of `seeds` runs of each contender. */
static void expect_runs(json_t *runs, const char *const *names, size_t contenders, size_t seeds)
{
    assert_int_equal(json_array_size(runs), contenders * seeds);
    for (size_t i = 0; i < contenders * seeds; i++) {
        json_t *run = json_array_get(runs, i);
        assert_string_equal(text(run, "policy"), names[i / seeds]);
        assert_string_equal(text(run, "workload"), "uniform");
        assert_int_equal(integer(run, "occupancy"), 92);
        assert_int_equal(integer(run, "seed"), 1 + i % seeds);
        assert_int_equal(integer(run, "refused") + integer(run, "full"), 0);
        assert_int_equal(integer(run, "moved_in_advance_bytes"), 0);
        assert_in_range(integer(run, "peak_payload"), 65536 * 91 / 100, 65536 * 92 / 100);
        assert_in_range(integer(run, "longest_pause_bytes"), 1, integer(run, "moved_bytes"));
        assert_in_range(integer(run, "floor_bytes"), 1, integer(run, "moved_bytes"));
        assert_in_range(integer(run, "moving_requests"), 1, integer(run, "requests"));
        assert_true(integer(run, "allocated_bytes") > 0);
    }
}

static void test_churn(void **state)
{
    static const char *const names[] = {"libdefrag", "slide", "full-slide"};
    json_t *value = answer("churn --json --occupancy=92 --operations=11000 --seed=1 --seed=2", "uniform", 0);
    json_t *runs = json_object_get(value, "runs");
    json_int_t moved[3];

    (void)state;
    expect_head(value, "churn", 3);
    assert_int_equal(integer(value, "pool_bytes"), 65536);
    assert_int_equal(integer(value, "operations"), 11000);
    assert_int_equal(integer(value, "warm_up"), 1000);
    assert_true(json_is_null(json_object_get(value, "pace")));
    expect_runs(runs, names, 3, 2);
    for (size_t i = 0; i < 3; i++) {
        moved[i] = integer(json_array_get(runs, 2 * i), "moved_bytes");
    }
    /* Each is less clever than the one before. */
    assert_true(moved[0] <= moved[1] && moved[1] < moved[2]);
    json_decref(value);
}

static void test_pace(void **state)
{
    json_t *value =
        answer("churn --json --occupancy=90 --operations=5500 --policy=libdefrag --pace=1/2", "uniform", 0);
    json_t *run = json_array_get(json_object_get(value, "runs"), 0);
    json_int_t ahead = integer(run, "moved_in_advance_bytes");

    (void)state;
    assert_true(json_real_value(json_object_get(value, "pace")) == 0.5);
    assert_in_range(ahead, 1, integer(run, "moved_bytes"));
    /* A step may move one block more than its budget. */
    assert_true(ahead <= integer(run, "allocated_bytes") / 2 + 1032 * integer(run, "requests"));
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),  cmocka_unit_test(test_replay), cmocka_unit_test(test_adversary),
        cmocka_unit_test(test_churn), cmocka_unit_test(test_pace),   cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests_name("json", tests, trace_write, trace_remove);
}
