/* SPDX-License-Identifier: MIT */
#include "plot_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "scratch.h"
#include "stream.h"
#include "xalloc.h"

/* Without a temporary file beside a device or a pipe. */
static bool text_write(const char *path, const char *text, size_t bytes)
{
    const char *reason;
    stream_out *out = stream_out_open(path);

    if (!out) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    stream_out_write(out, text, bytes);
    if (stream_out_commit(out, &reason) != 0) {
        complain("%s: %s", path, reason);
        return false;
    }
    return true;
}

static bool svg_write(const char *path, const char *title)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    bool copied = memory && plot_svg_copy("picture.wide", title, true, memory);

    copied = memory && fclose(memory) == 0 && copied;
    if (!copied) {
        complain("%s: %s", path, strerror(errno));
    }
    bool written = copied && text_write(path, text, bytes);
    free(text);
    return written;
}

/* False after a message. */
static bool temporary_begin(void)
{
    const char *folder = getenv("TMPDIR");
    folder = folder && *folder ? folder : "/tmp";
    size_t room = strlen(folder) + sizeof "/defrag-bench";
    char *beside = xrealloc(NULL, room, 1);

    snprintf(beside, room, "%s/defrag-bench", folder);
    bool begun = scratch_begin(beside) == 0;
    if (!begun) {
        complain("%s: %s", folder, strerror(errno));
    }
    free(beside);
    return begun;
}

bool plot_file(const char *path, const char *title, unsigned height, plot_drawing *draw, const void *what)
{
    if (!temporary_begin()) {
        return false;
    }
    bool begun = plot_begin();
    if (begun) {
        plot_draw_wide("picture", height, draw, what);
    }
    bool written = begun && plot_end() && svg_write(path, title);
    scratch_end();
    return written;
}
