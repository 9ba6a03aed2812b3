/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "xalloc.h"

enum { POOL_EXTRA_BYTES = 4096 };

/* --- Tables ---------------------------------------------------------------------- */

/* libsmartcols fails for want of memory only. */
static void required(bool done)
{
    if (!done) {
        complain("cannot go on: %s", strerror(ENOMEM));
        exit(EXIT_USAGE);
    }
}

struct libscols_table *report_table(const char *const *headings)
{
    struct libscols_table *table = scols_new_table();

    required(table);
    for (size_t i = 0; headings[i]; i++) {
        struct libscols_column *column =
            scols_table_new_column(table, headings[i], 0, i ? SCOLS_FL_RIGHT : 0);
        required(column);
        /* It is there without its heading if that found no memory. */
        required(scols_cell_get_data(scols_column_get_header(column)) != NULL);
    }
    /* The width of the contents is the width of the table, terminal or not. */
    scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
    scols_table_set_termwidth(table, 1000);
    scols_table_enable_nowrap(table, 1);
    return table;
}

struct libscols_line *report_row(struct libscols_table *table)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);
    required(line);
    return line;
}

void report_cell(struct libscols_line *line, size_t column, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    required(vasprintf(&text, format, arguments) >= 0);
    va_end(arguments);
    required(scols_line_refer_data(line, column, text) == 0);
}

void report_number(struct libscols_line *line, size_t column, uint64_t number)
{
    char text[NUMBER_ROOM];
    report_cell(line, column, "%s", number_format(text, number));
}

void report_ratio(struct libscols_line *line, size_t column, double ratio)
{
    if (ratio > 0) {
        report_cell(line, column, "%.3f", ratio);
    } else {
        report_cell(line, column, "-");
    }
}

const char *report_wider(const struct options *options)
{
    return strcmp(options->layout, "narrow") == 0 ? " (try --layout=wide)" : "";
}

void report_print(struct libscols_table *table)
{
    /* Cells that it finds no memory to print it leaves blank and says nothing. */
    errno = 0;
    required(scols_print_table(table) == 0 && errno != ENOMEM);
    scols_unref_table(table);
}

/* --- Words -------------------------------------------------------------------------- */

static size_t length_without(const char *text, size_t length, const char *ending)
{
    size_t cut = strlen(ending);
    return length > cut && memcmp(text + length - cut, ending, cut) == 0 ? length - cut : length;
}

char *report_name(const struct trace *trace)
{
    const char *slash = strrchr(trace->path, '/');
    const char *name = slash ? slash + 1 : trace->path;
    size_t length = length_without(name, strlen(name), ".zst");
    char *copy = strndup(name, length_without(name, length, ".trace"));

    required(copy);
    return without_controls(copy);
}

static const char *model_of(const struct contender *contender)
{
    static const char *const models[] = {
        [COMPACTION_BEST] = "header and handle table; compacts",
        [COMPACTION_SLIDE] = "libdefrag; the cheapest slide, and nothing else",
        [COMPACTION_FULL_SLIDE] = "libdefrag; all of it slides when a request finds no hole",
    };
    return contender->policy ? contender->policy->model : models[contender->compaction];
}

static void costs_row(struct libscols_table *table, const struct contender *contender)
{
    struct libscols_line *line = report_row(table);
    struct contender_costs costs;

    contender_costs_get(contender, 0, &costs);
    report_cell(line, 0, "%s", contender->name);
    report_number(line, 1, costs.alignment);
    report_cell(line, 2, costs.slot_bytes ? "%zu + %zu" : "%zu", costs.header_bytes, costs.slot_bytes);
    report_number(line, 3, costs.least_block_bytes);
    report_number(line, 4, costs.control_bytes);
    report_cell(line, 5, "  %s", model_of(contender));
}

void report_legend(const struct options *options)
{
    static const char *const headings[] = {"POLICY",  "ALIGNMENT",       "HEADER", "LEAST BLOCK",
                                           "CONTROL", "  LAID OUT LIKE", NULL};
    struct libscols_table *table = report_table(headings);

    printf("libdefrag: %s layout, alignment %u%s. Bytes as on a 32-bit microcontroller:\n\n", options->layout,
           options->alignment, options->manual ? ", DEFRAG_MANUAL" : "");
    for (size_t i = 0; i < options->contender_count; i++) {
        costs_row(table, &options->contenders[i]);
    }
    scols_column_set_flags(scols_table_get_column(table, 5), 0);
    report_print(table);
    if (options->lock_percent) {
        printf("\nAfter each operation %u %% of the live blocks are locked, in rotation (libdefrag alone).\n",
               options->lock_percent);
    }
}

static size_t requests_above(const struct trace *trace, unsigned alignment)
{
    size_t count = 0;
    struct trace_cursor cursor;
    const struct trace_op *op;

    trace_rewind(&cursor, trace);
    while ((op = trace_step(&cursor)) != NULL) {
        count += trace_op_alignment(op) > alignment;
    }
    return count;
}

/* Ends the list that name_add() began. */
static void names_end(size_t count)
{
    fputs(count ? ".\n" : "", stdout);
}

static void name_add(const char *title, size_t count, const struct trace *trace)
{
    char *name = report_name(trace);
    printf("%s %s", count ? "," : title, name);
    free(name);
}

static bool is_of_wide_pointers(const struct trace *trace)
{
    const char *bits = trace_value(trace, "pointer-bits");
    return bits && strcmp(bits, "64") == 0;
}

static void wide_pointers_print(const struct trace *traces, size_t count)
{
    static const char title[] = "Recorded where pointers have 64 bits, so that a 32-bit target needs less:";
    size_t wide = 0;

    for (size_t i = 0; i < count; i++) {
        wide += is_of_wide_pointers(&traces[i]);
    }
    if (wide == count && count > 1) {
        printf("%s all.\n", title);
        return;
    }
    wide = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_of_wide_pointers(&traces[i])) {
            name_add(title, wide++, &traces[i]);
        }
    }
    names_end(wide);
}

void report_caveats(const struct options *options, const struct trace *traces, size_t count)
{
    size_t aligned = 0;

    wide_pointers_print(traces, count);
    for (size_t i = 0; i < count; i++) {
        size_t above = requests_above(&traces[i], options->alignment);
        if (above) {
            name_add("Asking for alignments that no contender was asked to keep:", aligned++, &traces[i]);
            printf(" (%zu of more than %u)", above, options->alignment);
        }
    }
    names_end(aligned);
}

/* --- The pool --------------------------------------------------------------------------- */

bool report_pool_choose(const struct options *options, const struct trace *trace, size_t *bytes)
{
    uint64_t peak = trace->summary.peak_payload;
    size_t most = options_most_pool_bytes(options);
    char text[NUMBER_ROOM];

    if (!options_pool_fits(options)) {
        return false;
    }
    if (!options->pool_bytes && peak > most) {
        complain("%s: too big: %" PRIu64 " bytes are live at once, and the largest %s pool of alignment %u "
                 "has %s%s",
                 trace->path, peak, options->layout, options->alignment, number_format(text, most),
                 report_wider(options));
        return false;
    }
    uint64_t standard = (2 * peak + POOL_EXTRA_BYTES + 15) / 16 * 16;
    *bytes = standard < most ? standard : most;
    if (options->pool_bytes) {
        *bytes = options->pool_bytes;
    }
    return true;
}

/* --- JSON ------------------------------------------------------------------------------ */

static json_t *present(json_t *value)
{
    required(value);
    return value;
}

void report_json_append(json_t *array, json_t *value)
{
    required(json_array_append_new(array, value) == 0);
}

void report_json_set(json_t *object, const char *key, json_t *value)
{
    required(json_object_set_new(object, key, value) == 0);
}

static json_t *json_contender(const struct contender *contender)
{
    struct contender_costs costs;

    contender_costs_get(contender, 0, &costs);
    return present(json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:s}", "name", contender->name, "alignment",
                             (int)costs.alignment, "header_bytes", (json_int_t)costs.header_bytes,
                             "slot_bytes", (json_int_t)costs.slot_bytes, "smallest_block_bytes",
                             (json_int_t)costs.least_block_bytes, "least_control_bytes",
                             (json_int_t)costs.control_bytes, "model", model_of(contender)));
}

json_t *report_json(const struct options *options, const char *command)
{
    json_t *contenders = json_array();

    for (size_t i = 0; i < options->contender_count; i++) {
        report_json_append(contenders, json_contender(&options->contenders[i]));
    }
    return present(json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:o}", "command", command, "version",
                             DEFRAG_VERSION_STRING, "layout", options->layout, "alignment",
                             (int)options->alignment, "lock_percent", (int)options->lock_percent, "manual",
                             options->manual, "policies", contenders));
}

json_t *report_json_text(const char *text)
{
    if (!text) {
        return json_null();
    }
    errno = 0;
    json_t *value = json_string(text);
    if (!value && errno != ENOMEM) {
        value = json_string_nocheck("(not UTF-8)");
    }
    return present(value);
}

json_t *report_json_trace(const struct trace *trace)
{
    static const char *const keys[] = {"program", "version", "package", "input", "recorded", "pointer-bits"};
    json_t *value = present(json_pack("{s:o, s:I, s:I, s:I, s:I}", "path", report_json_text(trace->path),
                                      "operations", (json_int_t)trace->summary.operations, "objects",
                                      (json_int_t)trace->summary.allocations, "peak_payload",
                                      (json_int_t)trace->summary.peak_payload, "peak_objects",
                                      (json_int_t)trace->summary.peak_objects));
    json_t *metadata = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (trace_value(trace, keys[i])) {
            report_json_set(metadata, keys[i], report_json_text(trace_value(trace, keys[i])));
        }
    }
    report_json_set(value, "metadata", metadata);
    return value;
}

struct text {
    char *bytes;
    size_t count, room;
};

static int text_add(const char *bytes, size_t count, void *context)
{
    struct text *text = context;
    while (text->room - text->count < count) {
        text->room = 2 * text->room + 4096;
        text->bytes = xrealloc(text->bytes, text->room, 1);
    }
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
    return 0;
}

void report_json_print(json_t *value)
{
    /* All of it or nothing; and json_dumps() would pass over some want of memory. */
    struct text text = {NULL, 0, 0};
    required(json_dump_callback(value, text_add, &text, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0);
    fwrite(text.bytes, 1, text.count, stdout);
    free(text.bytes);
    putchar('\n');
    json_decref(value);
}

/* --- The end ------------------------------------------------------------------------------ */

/* What report_finish() has closed, nobody may look at any more. */
static bool is_finished;

static void see_to_output(void)
{
    if (!is_finished && (fflush(stdout) != 0 || ferror(stdout))) {
        complain("cannot write the result: %s", strerror(errno));
        _exit(EXIT_USAGE);
    }
}

void report_begin(void)
{
    required(atexit(see_to_output) == 0);
}

int report_finish(int status)
{
    bool failed = ferror(stdout);
    is_finished = true;

    if (fflush(stdout) != 0 || failed || fclose(stdout) != 0) {
        complain("cannot write the result: %s", strerror(errno));
        return EXIT_USAGE;
    }
    return status;
}
