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

/* What the command prints; it ends with that status. */
static json_t *answer(const char *arguments, int status)
{
    const char *folder = getenv("top_builddir");
    char command[1000];
    json_error_t error;

    snprintf(command, sizeof command, "'%s'/tools/defrag-bench %s '%s'", folder ? folder : ".", arguments,
             trace_path);
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
    json_t *value = answer("size --json", 0);
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
    json_t *value = answer("replay --json --policy=first-fit --pool=800", 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests_name("json", tests, trace_write, trace_remove);
}
