/* SPDX-License-Identifier: MIT */
/* Histograms: every value lands in a bucket that tells it to within 0.8 percent, and percentiles are those of
 * the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "histogram.h"
#include "support.h"

static struct histogram *empty_histogram(void)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    return histogram;
}

static void expect_near(double value, double wanted, double off)
{
    EXPECT(fabs(value - wanted) <= off, "%f, not %f", value, wanted);
}

static void test_empty(void **state)
{
    struct histogram *histogram = empty_histogram();
    (void)state;
    expect_near(histogram_percentile(histogram, 50, 1), 0, 0);
    free(histogram);
}

/* One value alone: every percentile is it, give or take half a step. */
static void test_each_value(void **state)
{
    (void)state;
    for (uint64_t value = 1; value <= HISTOGRAM_MAX; value += value / 64 + 1) {
        struct histogram *histogram = empty_histogram();
        histogram_add(histogram, value);
        double half = fmax(0.5, (double)value / 256);
        expect_near(histogram_percentile(histogram, 50, 1), (double)value, 2 * half);
        expect_near(histogram_percentile(histogram, 100, 1), (double)value, 2 * half);
        free(histogram);
    }
}

static void test_too_large(void **state)
{
    struct histogram *histogram = empty_histogram();
    (void)state;
    histogram_add(histogram, UINT64_MAX);
    expect_near(histogram_percentile(histogram, 50, 1) / (double)HISTOGRAM_MAX, 1, 0.008);
    free(histogram);
}

static void test_percentiles(void **state)
{
    struct histogram *histogram = empty_histogram();
    (void)state;
    for (uint64_t value = 10000; value > 0; value--) {
        histogram_add(histogram, value);
    }
    for (double percent = 1; percent <= 100; percent++) {
        expect_near(histogram_percentile(histogram, percent, 1), percent * 100, percent * 0.8 + 1);
    }
    expect_near(histogram_percentile(histogram, 0.01, 1), 1, 0.5);
    free(histogram);
}

/* A clock with ticks of 10 that looks at what takes 13: 20 in three cases of ten, else 10. */
static void test_ticks(void **state)
{
    struct histogram *histogram = empty_histogram();
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        histogram_add(histogram, i % 10 < 3 ? 20 : 10);
    }
    expect_near(histogram_percentile(histogram, 50, 10), 13, 1.5);
    expect_near(histogram_percentile(histogram, 50, 1), 10, 0.5);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),     cmocka_unit_test(test_each_value),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_ticks),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
