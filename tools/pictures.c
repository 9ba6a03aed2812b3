/* SPDX-License-Identifier: MIT */
#include "findings.h"

#include <inttypes.h>
#include <math.h>

#include "number.h"

enum { LEFT = 70, RIGHT = 34, TOP = 40, BOTTOM = 58, KEY_ROOM = 22 };

/* By the order of the contenders: libdefrag, then the policies. */
static const char *const colours[CONTENDERS_MOST] = {
    PLOT_VERMILLION, PLOT_BLUE, PLOT_SKY, PLOT_GREEN, PLOT_ORANGE, PLOT_PURPLE,
};

static const char *colour_of(size_t contender)
{
    return colours[contender] ? colours[contender] : PLOT_BLUE;
}

static unsigned tics_of(const struct canvas *canvas)
{
    return canvas->is_narrow ? 4 : 6;
}

static uint64_t operations_of(const struct findings *findings)
{
    return findings->trace.count ? findings->trace.count : 1;
}

static void operations_axis(const struct canvas *canvas, const struct findings *findings)
{
    plot_number_tics(canvas, "x", operations_of(findings), tics_of(canvas));
    fprintf(canvas->to, "set xrange [0:%" PRIu64 "]\nset xlabel 'operations of the trace' offset 0,0.2\n",
            operations_of(findings));
}

/* --- Heap map ------------------------------------------------------------------------------- */

static void heap_draw(const struct canvas *canvas, const void *what)
{
    const struct findings *findings = what;
    const struct history *history = &findings->history;
    const struct heap_figure figure = {
        .title = "Heap map: a row reads from left to right, addresses go down",
        .titles = {"before a compaction", "after it"},
        .maps = {&history->before, &history->after},
    };
    const struct heap_figure narrow = {
        .title = "Heap map",
        .titles = {figure.titles[0], figure.titles[1]},
        .maps = {figure.maps[0], figure.maps[1]},
    };
    heap_figure_draw(canvas, canvas->is_narrow ? &narrow : &figure);
}

/* --- Strip over time -------------------------------------------------------------------------- */

static void strip_data_put(const struct canvas *canvas, const struct history *history)
{
    fputs("$parts << EOD\n", canvas->to);
    for (size_t part = 0; part < HISTORY_PARTS; part++) {
        for (size_t i = 0; i < history->count; i++) {
            fprintf(canvas->to, "%s%u", i ? " " : "", history->samples[i].parts[part]);
        }
        fputc('\n', canvas->to);
    }
    fputs("EOD\n", canvas->to);
}

static void strip_draw(const struct canvas *canvas, const void *what)
{
    const struct findings *findings = what;
    const struct history *history = &findings->history;
    double wide = (double)operations_of(findings) / (double)(history->count ? history->count : 1);
    double high = (double)history->pool_bytes / HISTORY_PARTS;

    plot_title(canvas,
               canvas->is_narrow ? "The heap over the trace" : "The heap over the trace: addresses go down");
    strip_data_put(canvas, history);
    heap_legend(canvas, false, canvas->is_narrow ? 30 : LEFT);
    plot_margins(canvas, LEFT, RIGHT, TOP,
                 BOTTOM + (canvas->is_narrow ? HEAP_LEGEND_NARROW_HEIGHT : HEAP_LEGEND_WIDE_HEIGHT));
    operations_axis(canvas, findings);
    plot_byte_tics(canvas, "y", history->pool_bytes, 6);
    fprintf(canvas->to, "set yrange [%zu:0]\nunset grid\nset palette maxcolors %d defined (",
            history->pool_bytes, HEAP_KINDS);
    for (unsigned kind = 0; kind < HEAP_KINDS; kind++) {
        fprintf(canvas->to, "%s%u '%s'", kind ? ", " : "", kind, heap_colours[kind]);
    }
    fprintf(canvas->to,
            ")\nset cbrange [-0.5:%d.5]\nunset colorbox\n"
            "set object 1 rectangle from graph 0,0 to graph 1,1 behind fs solid noborder fc rgb '%s'\n"
            "plot $parts matrix using ($1*%f+%f):($2*%f+%f):($3 == 0 ? NaN : $3) with image\n",
            HEAP_KINDS - 1, heap_colours[HEAP_FREE], wide, wide / 2, high, high / 2);
}

/* --- Bytes and fragmentation -------------------------------------------------------------------- */

static void usage_data_put(const struct canvas *canvas, const struct history *history)
{
    fputs("$usage << EOD\n", canvas->to);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_sample *sample = &history->samples[i];
        double share = sample->free_bytes ? (double)sample->largest_free / (double)sample->free_bytes : 1;
        fprintf(canvas->to, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %.2f\n", sample->done,
                sample->live_bytes, sample->free_bytes, sample->largest_free, 100 * (1 - share));
    }
    fputs("EOD\n", canvas->to);
}

static void usage_draw(const struct canvas *canvas, const void *what)
{
    static const struct plot_entry upper[] = {{"live", PLOT_BLUE, 2, NULL},
                                              {"free", PLOT_ORANGE, 2, NULL},
                                              {"in one piece", PLOT_GREEN, 1.5, NULL}};
    static const struct plot_entry lower[] = {
        {"fragmentation: free, not in that piece", PLOT_VERMILLION, 2, NULL}};
    const struct findings *findings = what;
    unsigned middle = canvas->height * 58 / 100;

    plot_title(canvas, "Live and free bytes, and fragmentation");
    plot_legend(canvas, upper, 3, 3, canvas->is_narrow ? 14 : LEFT, TOP + 2);
    usage_data_put(canvas, &findings->history);
    fprintf(canvas->to, "set multiplot\nset xrange [0:%" PRIu64 "]\nset xtics scale 0 ('' 0)\n",
            operations_of(findings));
    plot_byte_tics(canvas, "y", findings->history.pool_bytes, 5);
    plot_margins(canvas, LEFT, RIGHT, TOP + KEY_ROOM, canvas->height - middle);
    fprintf(canvas->to,
            "set yrange [0:%zu]\n"
            "plot $usage u 1:2 w l lw 2 lc rgb '%s', '' u 1:3 w l lw 2 lc rgb '%s', '' u 1:4 w l lw 1.5 lc "
            "rgb '%s'\n"
            "unset label\nunset arrow\nset xtics scale 0.5\n",
            findings->history.pool_bytes, PLOT_BLUE, PLOT_ORANGE, PLOT_GREEN);
    operations_axis(canvas, findings);
    plot_margins(canvas, LEFT, RIGHT, middle + 36, BOTTOM);
    plot_legend(canvas, lower, 1, 1, canvas->is_narrow ? 14 : LEFT, middle + 22);
    fprintf(canvas->to,
            "set yrange [0:100]\nset ytics ('0' 0, '25 %%%%' 25, '50 %%%%' 50, '75 %%%%' 75, "
            "'100 %%%%' 100)\nplot $usage u 1:5 w filledcurves y1=0 fs transparent solid 0.25 lc rgb '%s', "
            "'' u 1:5 w l lw 2 lc rgb '%s'\nunset multiplot\n",
            PLOT_VERMILLION, PLOT_VERMILLION);
}

/* --- Smallest pools ----------------------------------------------------------------------------- */

static uint64_t largest_size(const struct findings *findings)
{
    uint64_t most = findings->trace.summary.peak_payload;
    for (size_t i = 0; i < findings->options->contender_count; i++) {
        const struct size_result *size = &findings->sizes[i];
        most = size->outcome == SIZE_FOUND && size->bytes > most ? size->bytes : most;
    }
    return most ? most : 1;
}

static void bar_labels_put(const struct canvas *canvas, const struct findings *findings)
{
    char bytes[NUMBER_ROOM];

    fputs("set ytics (", canvas->to);
    for (size_t i = 0; i < findings->options->contender_count; i++) {
        fprintf(canvas->to, "%s'%s' %zu", i ? ", " : "", findings->options->contenders[i].name, i);
    }
    fputs(")\n", canvas->to);
    for (size_t i = 0; i < findings->options->contender_count; i++) {
        const struct size_result *size = &findings->sizes[i];
        uint64_t shown = size->outcome == SIZE_FOUND ? size->bytes : 0;
        fprintf(canvas->to, "set label %zu '%s' at %" PRIu64 ",%zu offset 0.6,0 left\n", i + 1,
                shown ? number_format(bytes, shown) : "none is large enough", shown, i);
    }
}

static void pools_draw(const struct canvas *canvas, const void *what)
{
    const struct findings *findings = what;
    size_t count = findings->options->contender_count;
    uint64_t most = largest_size(findings);

    plot_title(canvas, "Smallest pool for the trace, in bytes");
    plot_margins(canvas, 74, canvas->is_narrow ? 68 : 84, TOP, BOTTOM);
    bar_labels_put(canvas, findings);
    plot_byte_tics(canvas, "x", most, tics_of(canvas));
    fprintf(canvas->to,
            "set border 1\nset ytics scale 0\nunset grid\nset grid x lt 1 lc rgb '" PLOT_GRID "' lw 0.7\n"
            "set xrange [0:%" PRIu64 "]\nset yrange [%zu.5:-0.6]\n$pools << EOD\n",
            most + most / 50, count - 1);
    for (size_t i = 0; i < count; i++) {
        fprintf(canvas->to, "%zu %zu %s\n",
                findings->sizes[i].outcome == SIZE_FOUND ? findings->sizes[i].bytes : 0, i,
                i == 0 ? "0xd55e00" : "0x0072b2");
    }
    uint64_t payload = findings->trace.summary.peak_payload;
    fprintf(canvas->to,
            "EOD\nset arrow 1 from %" PRIu64 ",graph 0 to %" PRIu64 ",graph 1 nohead dt (6,4) lw 1.2 "
            "lc rgb '" PLOT_INK "' front\nset xlabel 'dashed: payload live at most' offset 0,0.2\n"
            "plot $pools u (0):2:(0):1:($2-0.34):($2+0.34):3 with boxxyerror fs solid 1 noborder lc rgb "
            "variable\n",
            payload, payload);
}

/* --- Pauses ----------------------------------------------------------------------------------------- */

static size_t pauses_shown(const struct history *history)
{
    size_t shown = 5;
    for (size_t i = 0; i < HISTORY_PAUSES; i++) {
        shown = history->pauses[i] && i >= shown ? i + 1 : shown;
    }
    return shown;
}

/* On a narrow canvas units are short: there are many labels. */
static void pause_name(char text[32], uint64_t most, bool is_short)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    size_t unit = 0;

    if (most == UINT64_MAX) {
        snprintf(text, 32, "more");
        return;
    }
    if (!is_short) {
        plot_bytes(text, most);
        return;
    }
    for (; most >= 1024 && unit < sizeof units / sizeof *units - 1; most /= 1024) {
        unit++;
    }
    snprintf(text, 32, "%" PRIu64 "%s", most, units[unit]);
}

static void pause_tics(const struct canvas *canvas, size_t shown)
{
    char text[32];

    fputs("set xtics (", canvas->to);
    for (size_t i = 0; i < shown; i++) {
        pause_name(text, history_pause_most(i), canvas->is_narrow);
        fprintf(canvas->to, "%s'%s' %zu", i ? ", " : "", text, i);
    }
    fputs(") scale 0\n", canvas->to);
}

static void pauses_draw(const struct canvas *canvas, const void *what)
{
    const struct findings *findings = what;
    const struct history *history = &findings->history;
    size_t shown = pauses_shown(history);
    uint64_t most = 10;
    char text[NUMBER_ROOM];

    plot_title(canvas, "Operations that moved something, by how much");
    plot_margins(canvas, LEFT, RIGHT, TOP + 14, BOTTOM);
    pause_tics(canvas, shown);
    fputs("$pauses << EOD\n", canvas->to);
    for (size_t i = 0; i < shown; i++) {
        fprintf(canvas->to, "%zu %" PRIu64 "\n", i, history->pauses[i]);
        most = history->pauses[i] > most ? history->pauses[i] : most;
    }
    fputs("EOD\n", canvas->to);
    for (size_t i = 0; i < shown; i++) {
        if (history->pauses[i]) {
            fprintf(canvas->to, "set label %zu '%s' at %zu,%" PRIu64 " offset 0,0.6 center\n", i + 1,
                    number_format(text, history->pauses[i]), i, history->pauses[i]);
        }
    }
    fputs("set ytics (", canvas->to);
    for (uint64_t at = 1; at <= most; at *= 10) {
        fprintf(canvas->to, "%s'%s' %" PRIu64, at > 1 ? ", " : "", number_format(text, at), at);
    }
    fprintf(canvas->to,
            ")\nset logscale y\nset yrange [0.5:%" PRIu64 "]\nset xrange [-0.6:%zu.6]\n"
            "set xlabel 'bytes moved by one operation, up to' offset 0,0.2\nset ylabel 'operations' offset "
            "1.2,0\n"
            "plot $pauses u 1:($2 > 0 ? $2 : NaN):(0.76) with boxes fs solid 1 noborder lc rgb '%s'\n",
            2 * most, shown - 1, PLOT_BLUE);
}

/* --- Robson's program --------------------------------------------------------------------------------- */

double robson_bound(size_t point)
{
    double n = ldexp(2, (int)point);
    return 1 + log2(n) / 2 - (n - 1) / ROBSON_UNITS;
}

static void robson_data_put(const struct canvas *canvas, const struct findings *findings)
{
    fputs("$robson << EOD\n", canvas->to);
    for (size_t point = 0; point < ROBSON_POINTS; point++) {
        fprintf(canvas->to, "%zu %.4f", point + 1, robson_bound(point));
        for (size_t i = 0; i < findings->options->contender_count; i++) {
            fprintf(canvas->to, " %.4f", findings->robson[point][i]);
        }
        fputc('\n', canvas->to);
    }
    fputs("EOD\n", canvas->to);
}

static void robson_legend(const struct canvas *canvas, const struct options *options,
                          struct plot_entry entries[CONTENDERS_MOST + 1])
{
    static const char *const dashes[] = {NULL, NULL, "(9,5)", "(3,3)", "(9,3,2,3)", "(14,5)"};
    size_t count = 0;

    entries[count++] = (struct plot_entry){"theory", PLOT_BAND, 9, NULL};
    for (size_t i = 0; i < options->contender_count; i++) {
        entries[count++] =
            (struct plot_entry){options->contenders[i].name, colour_of(i), i ? 2 : 3, dashes[i % 6]};
    }
    plot_legend(canvas, entries, count, canvas->is_narrow ? 3 : 4, canvas->is_narrow ? 24 : 44, TOP + 2);
}

static void robson_draw(const struct canvas *canvas, const void *what)
{
    const struct findings *findings = what;
    size_t count = findings->options->contender_count;
    struct plot_entry entries[CONTENDERS_MOST + 1];

    plot_title(canvas, canvas->is_narrow ? "Heap that Robson’s program forces"
                                         : "Heap that Robson’s program forces, for each byte live at most");
    robson_legend(canvas, findings->options, entries);
    robson_data_put(canvas, findings);
    plot_margins(canvas, 44, RIGHT, TOP + (canvas->is_narrow ? 3 : 2) * PLOT_LEGEND_ROW + 4, BOTTOM);
    fputs("set xtics (", canvas->to);
    for (unsigned point = 1; point <= ROBSON_POINTS; point++) {
        fprintf(canvas->to, "%s'%u' %u", point > 1 ? ", " : "", 1u << point, point);
    }
    fprintf(canvas->to,
            ")\nset xrange [1:%d.05]\nset yrange [0:*]\nset ytics 1 format '%%g'\n"
            "set xlabel 'n: the largest block, in smallest blocks' offset 0,0.2\nplot ",
            ROBSON_POINTS);
    /* The band first, libdefrag last: on top. */
    for (size_t i = 0; i <= count; i++) {
        size_t entry = i == 0 ? 0 : count + 1 - i;
        fprintf(canvas->to, "%s$robson u 1:%zu w l lw %g dt %s lc rgb '%s'", i ? ", " : "", entry + 2,
                entries[entry].width, entries[entry].dash ? entries[entry].dash : "solid",
                entries[entry].colour);
    }
    fputc('\n', canvas->to);
}

/* --- All of them ---------------------------------------------------------------------- */

const struct picture pictures[] = {
    {"heap-map", "Heap map before and after a compaction", {420, 640}, heap_draw},
    {"heap-strip", "The heap over the trace", {400, 420}, strip_draw},
    {"usage", "Live and free bytes, and fragmentation, over the trace", {440, 460}, usage_draw},
    {"pools", "Smallest pool by policy", {300, 300}, pools_draw},
    {"pauses", "Bytes moved by single operations", {320, 300}, pauses_draw},
    {"robson", "Heap needed by Robson's program", {360, 360}, robson_draw},
    {NULL, NULL, {0, 0}, NULL},
};
