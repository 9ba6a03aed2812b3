/* SPDX-License-Identifier: MIT */
#include "page.h"

#include <inttypes.h>
#include <string.h>

#include <defrag.h>

#include "number.h"
#include "report.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d9dee3;--card:#f5f7f9;--page:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e6ea;--soft:#9aa4af;--line:#343a42;--card:#1d2127;--"
    "page:#14171b}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}"
    "main{max-width:824px;margin:0 auto;padding:24px 16px 48px}"
    "h1{font-size:1.6rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}"
    "h2{font-size:1.15rem;margin:40px 0 8px}"
    "p{margin:8px 0}.soft,figcaption,footer{color:var(--soft);font-size:.9rem}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:20px 0}"
    ".tiles div{background:var(--card);border-radius:8px;padding:10px 14px}"
    ".tiles b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}"
    ".tiles span{color:var(--soft);font-size:.85rem}"
    "figure{margin:28px 0;padding-top:4px}"
    "figure svg{display:block;width:100%;height:auto}"
    "figcaption{margin-top:6px}"
    ".narrow{display:none}@media(max-width:640px){.narrow{display:block}.wide{display:none}}"
    ".table{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}"
    "th,td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}"
    "th{color:var(--soft);font-weight:600}"
    "th:first-child,td:first-child{text-align:left;padding-left:0}"
    "td.text{text-align:left;overflow-wrap:anywhere}"
    ".failed{color:#c2410c;font-weight:600}"
    "@media(prefers-color-scheme:dark){.failed{color:#fb923c}}"
    "@media(max-width:640px){th,td{padding:5px 4px;font-size:.84rem}}"
    "@media print{.narrow{display:none}.wide{display:block}}";

/* --- Words --------------------------------------------------------------------------- */

/* A trace's comments may hold any bytes. */
static void text_put(const char *text, FILE *to)
{
    json_t *checked = report_json_text(text);
    const char *at = json_string_value(checked);

    for (; at && *at; at++) {
        switch (*at) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        default:
            fputc((unsigned char)*at < ' ' ? ' ' : *at, to);
            break;
        }
    }
    json_decref(checked);
}

static void number_put(uint64_t number, FILE *to)
{
    char text[NUMBER_ROOM];
    fputs(number_format(text, number), to);
}

static void cell_put(uint64_t number, FILE *to)
{
    fputs("<td>", to);
    number_put(number, to);
    fputs("</td>", to);
}

static void tile_put(const char *title, uint64_t number, const char *unit, FILE *to)
{
    fputs("<div><b>", to);
    number_put(number, to);
    fprintf(to, "%s</b><span>%s</span></div>\n", unit, title);
}

static void table_begin(const char *const *headings, FILE *to)
{
    fputs("<div class=\"table\"><table>\n<tr>", to);
    for (size_t i = 0; headings[i]; i++) {
        fprintf(to, "<th>%s</th>", headings[i]);
    }
    fputs("</tr>\n", to);
}

static void table_end(FILE *to)
{
    fputs("</table></div>\n", to);
}

/* --- The head -------------------------------------------------------------------------- */

static void head_put(const struct findings *findings, FILE *to)
{
    const struct options *options = findings->options;
    const struct trace_summary *summary = &findings->trace.summary;
    const struct history *history = &findings->history;

    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>",
          to);
    text_put(findings->name, to);
    fprintf(to, ": libdefrag report</title>\n<style>%s%s</style>\n</head>\n<body>\n<main>\n<h1>", style,
            plot_style);
    text_put(findings->name, to);
    fprintf(to,
            "</h1>\n<p class=\"soft\">How much memory this allocation pattern needs, and what compaction "
            "costs. libdefrag %s, %s layout, alignment %u",
            DEFRAG_VERSION_STRING, options->layout, options->alignment);
    if (options->lock_percent) {
        fprintf(to, ", %u %% of the live blocks locked in rotation", options->lock_percent);
    }
    fputs(".</p>\n<div class=\"tiles\">\n", to);
    tile_put("operations", summary->operations, "", to);
    tile_put("payload live at most", summary->peak_payload, " B", to);
    if (findings->sizes[0].outcome == SIZE_FOUND) {
        tile_put("smallest pool, libdefrag", findings->sizes[0].bytes, " B", to);
    }
    tile_put("moved by one operation at most", history->replay.longest_pause, " B", to);
    fputs("</div>\n", to);
}

static void failures_put(const struct replay_result *replay, FILE *to)
{
    if (replay->refused) {
        fputs("<p class=\"failed\">", to);
        number_put(replay->refused, to);
        fprintf(to, " requests failed in this pool, the first in line %" PRIu32 " (%s).</p>\n",
                replay->refused_line, replay->refused_reason);
    }
    if (replay->damaged) {
        fprintf(to, "<p class=\"failed\">Damaged contents were found, first in line %" PRIu32 ".</p>\n",
                replay->damaged_line);
    }
    if (replay->broken_line) {
        fprintf(to, "<p class=\"failed\">Stopped in line %" PRIu32 ", where the heap answered %s.</p>\n",
                replay->broken_line, replay->broken_reason);
    }
}

/* --- Captions --------------------------------------------------------------------------- */

static void heap_caption(const struct findings *findings, FILE *to)
{
    const struct history *history = &findings->history;

    uint64_t unit = heap_map_unit(&history->before);

    fputs(unit > history->before.granule ? "A pool of " : "Every block of a pool of ", to);
    number_put(history->pool_bytes, to);
    fputs(" bytes", to);
    if (unit > history->before.granule) {
        fputs(" in parts of ", to);
        number_put(unit, to);
        fputs(", each shown as what most of it is", to);
    }
    fputs(", after operation ", to);
    number_put(history->count ? history->samples[history->worst].done : 0, to);
    fputs(", where most free bytes were scattered; and after <code>defrag_compact</code>, which moved ", to);
    number_put(history->compacted_bytes, to);
    fputs(" bytes. Locked blocks stay where they are.", to);
}

static void strip_caption(const struct findings *findings, FILE *to)
{
    fputs("The same pool in ", to);
    number_put(findings->history.count, to);
    fprintf(to, " moments, one column each. A column has %d parts; each shows what most of it is.",
            HISTORY_PARTS);
}

static void usage_caption(const struct findings *findings, FILE *to)
{
    fputs("Taken in the same ", to);
    number_put(findings->history.count, to);
    fputs(
        " moments. Blocks count with their headers; control block and handle table are neither live nor "
        "free. "
        "Fragmentation does no harm here but for the bytes that are moved: with nothing locked a request is "
        "served if all free bytes together hold it.",
        to);
}

static void pools_caption(const struct findings *findings, FILE *to)
{
    if (findings->trace.count > SIZE_EXACT_OPERATIONS) {
        fprintf(to, "Found by bisection, to within one part in %d", SIZE_COARSE_PART);
    } else {
        fputs("Found by bisection, to the granule", to);
    }
    fputs("; a larger pool need not do for a heap that does not move blocks, and <code>defrag-bench "
          "size</code> tells "
          "from which size on every one does.",
          to);
}

static void pauses_caption(const struct findings *findings, FILE *to)
{
    const struct history *history = &findings->history;

    if (history->replay.moved_blocks == 0) {
        fputs("No operation moved anything.", to);
        return;
    }
    number_put(history->still, to);
    fputs(" operations moved nothing and are not shown. The scale is logarithmic; the most that one "
          "operation moved "
          "is ",
          to);
    number_put(history->replay.longest_pause, to);
    fputs(" bytes. Blocks that a resize copies count, too.", to);
}

static void robson_caption(const struct findings *findings, FILE *to)
{
    (void)findings;
    fprintf(
        to,
        "Not of this trace: a program made to fragment heaps (Robson 1971, 1974), with %d blocks of %d bytes "
        "live at most. No heap that never moves a block can stay below the grey band, "
        "1 + log<sub>2</sub>(n)/2 &#8722; (n &#8722; 1)/%d.",
        ROBSON_UNITS, ROBSON_UNIT_BYTES, ROBSON_UNITS);
}

/* In the order of the pictures. */
static void (*const captions[])(const struct findings *findings, FILE *to) = {
    heap_caption, strip_caption, usage_caption, pools_caption, pauses_caption, robson_caption,
};

static bool figure_put(const struct findings *findings, size_t picture, FILE *to)
{
    static const char *const shapes[] = {"wide", "narrow"};
    char name[64];

    fprintf(to, "<figure id=\"%s\">\n", pictures[picture].name);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s.%s", pictures[picture].name, shapes[i]);
        fprintf(to, "<div class=\"%s\">\n", shapes[i]);
        if (!plot_svg_copy(name, pictures[picture].title, false, to)) {
            return false;
        }
        fputs("</div>\n", to);
    }
    fputs("<figcaption>", to);
    captions[picture](findings, to);
    fputs("</figcaption>\n</figure>\n", to);
    return true;
}

/* --- Tables -------------------------------------------------------------------------------- */

static void sizes_put(const struct findings *findings, FILE *to)
{
    static const char *const headings[] = {"policy", "smallest pool", "to payload", NULL};
    double payload = (double)findings->trace.summary.peak_payload;

    fputs("<h2>Smallest pool</h2>\n", to);
    table_begin(headings, to);
    for (size_t i = 0; i < findings->options->contender_count; i++) {
        const struct size_result *size = &findings->sizes[i];
        fprintf(to, "<tr><td>%s</td>", findings->options->contenders[i].name);
        if (size->outcome != SIZE_FOUND) {
            fputs("<td>none</td><td></td></tr>\n", to);
            continue;
        }
        cell_put(size->bytes, to);
        fprintf(to, payload > 0 ? "<td>%.3f</td></tr>\n" : "<td></td></tr>\n", (double)size->bytes / payload);
    }
    table_end(to);
}

static void row_put(const char *title, uint64_t number, FILE *to)
{
    fprintf(to, "<tr><td>%s</td>", title);
    cell_put(number, to);
    fputs("</tr>\n", to);
}

static void replay_put(const struct findings *findings, FILE *to)
{
    static const char *const headings[] = {"libdefrag in this pool", "", NULL};
    const struct replay_result *replay = &findings->history.replay;

    fputs("<h2>Compaction</h2>\n", to);
    table_begin(headings, to);
    row_put("bytes of the pool", findings->history.pool_bytes, to);
    row_put("bytes asked for, in all", size_allocated(&findings->trace), to);
    row_put("requests that failed", replay->refused, to);
    row_put("bytes moved", replay->moved_bytes, to);
    row_put("blocks moved", replay->moved_blocks, to);
    row_put("bytes moved by one operation at most", replay->longest_pause, to);
    row_put("control, table and headers at the peak, bytes", replay->metadata_bytes, to);
    table_end(to);
}

static void robson_put(const struct findings *findings, FILE *to)
{
    const struct options *options = findings->options;

    fputs("<h2>Robson’s program</h2>\n<p class=\"soft\">Bytes of heap for each byte live at most.</p>\n"
          "<div class=\"table\"><table>\n<tr><th>n</th>",
          to);
    for (unsigned point = 1; point < ROBSON_POINTS; point += 2) {
        fprintf(to, "<th>%u</th>", 2u << point);
    }
    fputs("</tr>\n<tr><td>theory</td>", to);
    for (unsigned point = 1; point < ROBSON_POINTS; point += 2) {
        fprintf(to, "<td>%.3f</td>", robson_bound(point));
    }
    fputs("</tr>\n", to);
    for (size_t i = 0; i < options->contender_count; i++) {
        fprintf(to, "<tr><td>%s</td>", options->contenders[i].name);
        for (unsigned point = 1; point < ROBSON_POINTS; point += 2) {
            fprintf(to, "<td>%.3f</td>", findings->robson[point][i]);
        }
        fputs("</tr>\n", to);
    }
    table_end(to);
}

static void trace_put(const struct findings *findings, FILE *to)
{
    static const char *const headings[] = {"trace", "", NULL};
    const struct trace *trace = &findings->trace;

    fputs("<h2>The trace</h2>\n", to);
    table_begin(headings, to);
    row_put("operations", trace->summary.operations, to);
    row_put("allocations", trace->summary.allocations, to);
    row_put("objects live at most", trace->summary.peak_objects, to);
    row_put("bytes of the largest object", trace->summary.largest_size, to);
    row_put("largest alignment asked for", trace->summary.largest_alignment, to);
    for (size_t i = 0; i < trace->comment_count; i++) {
        fputs("<tr><td>", to);
        text_put(trace->comments[i].key, to);
        fputs("</td><td class=\"text\">", to);
        text_put(trace->comments[i].value, to);
        fputs("</td></tr>\n", to);
    }
    table_end(to);
}

bool page_write(const struct findings *findings, FILE *to)
{
    head_put(findings, to);
    failures_put(&findings->history.replay, to);
    for (size_t i = 0; pictures[i].name; i++) {
        if (!figure_put(findings, i, to)) {
            return false;
        }
    }
    sizes_put(findings, to);
    replay_put(findings, to);
    robson_put(findings, to);
    trace_put(findings, to);
    fputs("</main>\n</body>\n</html>\n", to);
    return !ferror(to);
}
