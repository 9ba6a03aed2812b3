/* SPDX-License-Identifier: MIT */
/*
 * Random calls on pools of every size, each compared with the model. A failure
 * prints its seed; replay that one sequence by
 *
 *     SEED=1234 BUILD=n8 ./test_random
 *
 * (SEED alone replays it in every build; SHOW=1 prints the calls.) DEFRAG_TEST_EFFORT is the amount of
 * work in percent of the usual one.
 */
#include "draw.h"
#include "driver.h"

#include <stdlib.h>

#define REGISTERS 5000

struct sequence {
    struct driver driver;
    struct draw draw;
};

static void operate(struct sequence *s)
{
    struct ops_record record;
    size_t times = draw_call(&s->draw, &s->driver.model.last, &record);
    while (times--)
        driver_do(&s->driver, &record);
}

static size_t pool_size(uint64_t *random)
{
    switch (support_below(random, 8)) {
    case 0:
    case 1:
        return 200 + support_below(random, 500);
    case 2:
    case 3:
    case 4:
        return 500 + support_below(random, 1500);
    case 5:
    case 6:
        return 1000 + support_below(random, 7000);
    default:
        return 8000 + support_below(random, 57536);
    }
}

/* Of any size; but one sequence in fifty has the largest pool of the narrow layout, whose offsets fill their 16 bits. */
static size_t pool_size_of(const struct defrag_build *build, uint64_t seed, struct sequence *s)
{
    const struct inside *inside = inside_of(build->name);
    /* The wide control block is longer by about so much. */
    if (inside->granules_max > 65535)
        return pool_size(&s->draw.random) + 800;
    if (seed % 50 != 0)
        return pool_size(&s->draw.random);
    draw_churn(&s->draw);
    return inside->granules_max * inside->granule + support_below(&s->draw.random, inside->granule);
}

static unsigned long operations_in(size_t bytes)
{
    return bytes > 100000 ? 120 : bytes > 8000 ? 300 : 600;
}

static struct model_choices choices;
static unsigned long calls;

static void add_up(const struct model *m)
{
    choices.fast_served += m->choices.fast_served;
    choices.fast_refused += m->choices.fast_refused;
    choices.pinned_served += m->choices.pinned_served;
    choices.pinned_refused += m->choices.pinned_refused;
    calls += m->calls;
}

static void run_sequence(const struct defrag_build *build, uint64_t seed)
{
    static struct sequence s;
    draw_begin(&s.draw, REGISTERS, seed);
    struct ops_pool pool = {.bytes = pool_size_of(build, seed, &s)};
    pool.skew =
        pool.bytes > 100000 || support_below(&s.draw.random, 3) ? 0 : support_below(&s.draw.random, 32);
    pool.manual = support_below(&s.draw.random, 6) == 0;
    pool.scrambles = support_below(&s.draw.random, 6) == 0;
    pool.hooked = support_below(&s.draw.random, 2);
    support_context("%s, replay with SEED=%llu BUILD=%s (%s, %zu bytes)", build->name,
                    (unsigned long long)seed, build->name, draw_name(&s.draw), pool.bytes);
    if (!driver_open(&s.driver, build, &pool, REGISTERS, getenv("SHOW") ? stdout : NULL))
        return;
    for (unsigned long i = operations_in(pool.bytes); i > 0; i--) {
        operate(&s);
        /* Locks pile up where nothing is unlocked. */
        if (support_below(&s.draw.random, 200) == 0)
            driver_unlock_all(&s.driver);
    }
    add_up(&s.driver.model);
    driver_close(&s.driver);
}

static void random_sequences(const struct defrag_build *build)
{
    const char *text = getenv("SEED");
    if (text && *text) {
        run_sequence(build, strtoull(text, NULL, 0));
        return;
    }
    choices = (struct model_choices){0};
    calls = 0;
    unsigned count = support_effort() < 5 ? 2 : support_effort() * 10;
    for (uint64_t seed = 1; seed <= count; seed++)
        run_sequence(build, seed);
    printf("# %s: seeds 1 to %u, %lu calls; alloc_fast with a fit in its own bin only: %lu served, %lu "
           "refused; alloc that T3 does not promise: %lu served, %lu refused\n",
           build->name, count, calls, choices.fast_served, choices.fast_refused, choices.pinned_served,
           choices.pinned_refused);
}

int main(void)
{
    static const struct support_test tests[] = {{"random calls agree with the model", random_sequences}};
    return support_run("random", tests, sizeof tests / sizeof tests[0]);
}
