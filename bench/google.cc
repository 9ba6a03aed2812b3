/* SPDX-License-Identifier: MIT */
#include "google.h"

#include <benchmark/benchmark.h>

struct bench_state {
    benchmark::State &state;
};

static void run(benchmark::State &state, const bench *bench)
{
    bench_state wrapped{state};
    bench->run(&wrapped);
    state.SetComplexityN(state.range(0));
}

static void add(const bench *bench)
{
    auto *added = benchmark::RegisterBenchmark(bench->name, run, bench);
    for (const int64_t *argument = bench->arguments; *argument != 0; argument++)
        added->Arg(*argument);
    added->Complexity(bench->order == BENCH_LINEAR ? benchmark::oN : benchmark::o1);
}

int bench_main(const bench *benches, int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    for (const bench *bench = benches; bench->name; bench++)
        add(bench);
    size_t ran = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return ran > 0 ? 0 : 1;
}

size_t bench_argument(const bench_state *state)
{
    return static_cast<size_t>(state->state.range(0));
}

bool bench_goes_on(bench_state *state)
{
    return state->state.KeepRunning();
}

void bench_pause(bench_state *state)
{
    state->state.PauseTiming();
}

void bench_resume(bench_state *state)
{
    state->state.ResumeTiming();
}

void bench_fail(bench_state *state, const char *reason)
{
    state->state.SkipWithError(reason);
}
