/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <stdlib.h>

/* --- Opening and closing ---------------------------------------------------------- */

/* Handles of another pool: of slots that were used once, twice, and so on. */
static void make_foreign(struct driver *d)
{
    defrag_pool *pool;
    struct support_buffer buffer;
    pool = support_pool_of(d->model.build, &buffer, 4 * OPS_FOREIGN, NULL);
    for (size_t i = 0; i < OPS_FOREIGN; i++) {
        EXPECT_STATUS(d->model.build->alloc(pool, 0, &d->ops.foreign[i]), DEFRAG_OK);
        defrag_handle freed = d->ops.foreign[i];
        if (i % 2)
            EXPECT_STATUS(d->model.build->free(pool, &freed), DEFRAG_OK);
    }
    support_buffer_free(&buffer);
}

const struct defrag_build *driver_build(const struct ops_pool *pool)
{
    return (pool->hardened ? support_hardened : defrag_builds)[pool->build];
}

bool driver_open(struct driver *d, const struct defrag_build *build, const struct ops_pool *pool,
                 size_t registers, FILE *show)
{
    d->show = show;
    if (show)
        fprintf(show, "# build %s, %zu bytes%s%s%s, %zu behind an aligned address\n", build->name,
                pool->bytes, pool->manual ? ", manual" : "", pool->hooked ? ", hooked" : "",
                pool->scrambles ? ", scrambling" : "", pool->skew);
    uint32_t flags = (pool->manual ? DEFRAG_MANUAL : 0u) | (pool->scrambles ? DEFRAG_SCRAMBLE : 0u);
    if (!model_open(&d->model, build, pool->bytes, pool->skew, flags, pool->hooked)) {
        if (show)
            fputs("#   is no pool\n", show);
        return false;
    }
    d->registers = malloc(registers * sizeof *d->registers);
    if (!d->registers)
        abort();
    ops_begin(&d->ops, d->registers, registers);
    make_foreign(d);
    return true;
}

static void unlock(struct model *m, defrag_handle handle)
{
    const struct model_block *block = &m->blocks[m->inside->slot_of(handle)];
    while (block->shared || block->exclusive)
        model_unlock(m, handle);
}

void driver_unlock_all(struct driver *d)
{
    for (size_t i = 0; i < d->ops.count; i++)
        if (d->registers[i].bits)
            unlock(&d->model, d->registers[i]);
}

void driver_close(struct driver *d)
{
    struct model *m = &d->model;
    if (d->show)
        fputs("# unlock and free everything, clean\n", d->show);
    driver_unlock_all(d);
    for (size_t i = 0; i < d->ops.count; i++)
        if (d->registers[i].bits)
            model_free(m, d->registers[i]);
    model_clean(m);
    EXPECT(m->last.free_bytes == m->now.capacity * m->inside->granule,
           "all is freed and cleaned, and %zu bytes are free", m->last.free_bytes);
    model_close(m);
    free(d->registers);
}

/* --- Calls ---------------------------------------------------------------------------- */

static void show(FILE *to, const struct op *op)
{
    fprintf(to, "#   %-18s", ops_names[op->kind]);
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ALLOC_FAST:
        fprintf(to, "%zu bytes", op->bytes);
        break;
    case OP_SLICE:
    case OP_SLICE_FAST:
        fprintf(to, "%zu x %zu bytes", op->request.count, op->request.bytes);
        break;
    case OP_REQUEST:
        fprintf(to, "%zu x %zu bytes, alignment %zu, flags %u", op->request.count, op->request.bytes,
                op->request.alignment, (unsigned)op->request.flags);
        break;
    case OP_RESIZE:
        fprintf(to, "%08x %zu bytes", (unsigned)op->handle.bits, op->bytes);
        break;
    case OP_READ:
    case OP_WRITE:
        fprintf(to, "%08x %zu bytes, offset %zu", (unsigned)op->handle.bits, op->bytes, op->offset);
        break;
    case OP_FREE:
    case OP_LOCK:
    case OP_LOCK_SHARED:
    case OP_TRY_LOCK:
    case OP_TRY_LOCK_SHARED:
    case OP_UNLOCK:
    case OP_SIZE:
        fprintf(to, "%08x", (unsigned)op->handle.bits);
        break;
    case OP_COMPACT_STEP:
    case OP_MAKE_ROOM:
    case OP_SCRAMBLE:
    case OP_WALK:
    case OP_ATTACH:
        fprintf(to, "%zu", op->bytes);
        break;
    default:
        break;
    }
    putc('\n', to);
    fflush(to);
}

static void do_alloc(struct driver *d, enum model_form form, const struct op *op)
{
    defrag_handle handle = model_alloc(&d->model, form, &op->request);
    if (handle.bits)
        ops_allocated(&d->ops, op, handle);
    if (d->show)
        fprintf(d->show, handle.bits ? "#     gives %08x\n" : "#     is refused\n", (unsigned)handle.bits);
}

static void do_free(struct driver *d, defrag_handle handle)
{
    size_t blocks = d->model.now.blocks;
    model_free(&d->model, handle);
    if (d->model.now.blocks < blocks)
        ops_freed(&d->ops, handle);
}

/* The calls that come without a handle. */
static void do_order(struct model *m, const struct op *op)
{
    switch (op->kind) {
    case OP_CLEAN:
        model_clean(m);
        break;
    case OP_COMPACT:
        model_compact(m);
        break;
    case OP_COMPACT_STEP:
        (void)model_compact_step(m, op->bytes);
        break;
    case OP_MAKE_ROOM:
        model_make_room(m, op->bytes);
        break;
    case OP_SCRAMBLE:
        model_scramble(m, (uint32_t)op->bytes);
        break;
    case OP_STATISTICS:
        model_probe_largest(m);
        break;
    case OP_WALK:
        model_walk(m, op->bytes);
        break;
    case OP_MIGRATE:
        model_migrate(m);
        break;
    case OP_ATTACH:
        model_attach(m, op->bytes);
        break;
    default:
        model_misuse(m);
        break;
    }
}

static void make(struct driver *d, const struct op *op)
{
    struct model *m = &d->model;
    switch (op->kind) {
    case OP_ALLOC:
        do_alloc(d, FORM_ALLOC, op);
        break;
    case OP_ALLOC_FAST:
        do_alloc(d, FORM_FAST, op);
        break;
    case OP_SLICE:
        do_alloc(d, FORM_SLICE, op);
        break;
    case OP_SLICE_FAST:
        do_alloc(d, FORM_SLICE_FAST, op);
        break;
    case OP_REQUEST:
        do_alloc(d, FORM_REQUEST, op);
        break;
    case OP_RESIZE:
        model_resize(m, op->handle, op->bytes);
        break;
    case OP_FREE:
        do_free(d, op->handle);
        break;
    case OP_LOCK:
    case OP_TRY_LOCK:
        model_lock(m, op->handle, op->kind == OP_LOCK);
        break;
    case OP_LOCK_SHARED:
    case OP_TRY_LOCK_SHARED:
        model_lock_shared(m, op->handle, op->kind == OP_LOCK_SHARED);
        break;
    case OP_UNLOCK:
        model_unlock(m, op->handle);
        break;
    case OP_READ:
        model_read(m, op->handle, op->offset, op->bytes);
        break;
    case OP_WRITE:
        model_write(m, op->handle, op->offset, op->bytes);
        break;
    case OP_SIZE:
        model_size(m, op->handle);
        break;
    default:
        do_order(m, op);
        break;
    }
}

void driver_do(struct driver *d, const struct ops_record *record)
{
    struct op op;
    ops_next(&d->ops, record, &d->model.last, &op);
    if (op.from_end)
        op.offset = d->model.build->size(d->model.pool, op.handle) - 8 + op.offset % 16;
    if (d->show)
        show(d->show, &op);
    make(d, &op);
}
