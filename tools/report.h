/* SPDX-License-Identifier: MIT */
/* What replay and size have in common in what they print. */
#ifndef DEFRAG_TOOLS_REPORT_H
#define DEFRAG_TOOLS_REPORT_H

#include <jansson.h>
#include <libsmartcols.h>

#include "options.h"
#include "trace.h"

/* --- Tables -------------------------------------------------------------------- */

/* The first column is flush left, the others right. NULL ends the headings. */
struct libscols_table *report_table(const char *const *headings);
struct libscols_line *report_row(struct libscols_table *table);
void report_cell(struct libscols_line *line, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_number(struct libscols_line *line, size_t column, uint64_t number);

/* "-" where there is none, because it would be one to nothing. */
void report_ratio(struct libscols_line *line, size_t column, double ratio);

/* What to add to a message where the layout is what is too small. */
const char *report_wider(const struct options *options);

/* Prints the table and releases it. */
void report_print(struct libscols_table *table);

/* --- Words ----------------------------------------------------------------------- */

/* The path without its folder, and without .zst and .trace at its end. To be freed. */
char *report_name(const struct trace *trace);

/* The layout, and what each contender's blocks cost. */
void report_legend(const struct options *options);

/* What a reader of figures from these traces has to know: widths of pointers, alignments not kept. */
void report_caveats(const struct options *options, const struct trace *traces, size_t count);

/* --- The pool ---------------------------------------------------------------------- */

/* What --pool says, or else what a trace is given without it. False after a message. */
bool report_pool_choose(const struct options *options, const struct trace *trace, size_t *bytes);

/* --- JSON ------------------------------------------------------------------------- */

/* The members all results have: command, version, layout, alignment, lock fraction, the contenders. */
json_t *report_json(const struct options *options, const char *command);

/* The members of a trace. */
json_t *report_json_trace(const struct trace *trace);

/* A string, or null. Arguments and comments may hold any bytes; JSON holds UTF-8. */
json_t *report_json_text(const char *text);

/* Put the value, which may be null for want of memory, into another. */
void report_json_append(json_t *array, json_t *value);
void report_json_set(json_t *object, const char *key, json_t *value);

/* Prints the value and releases it. */
void report_json_print(json_t *value);

/* --- The end ------------------------------------------------------------------------ */

/* From now on a program that ends otherwise, after --help say, sees to it as well that all was written. */
void report_begin(void);

/* Flushes standard output; `status`, or EXIT_USAGE after a message if not all could be written. */
int report_finish(int status);

#endif
