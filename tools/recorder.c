/* SPDX-License-Identifier: MIT */
/*
 * The library that `defrag-bench record` preloads into a program. It passes
 * every call of the malloc family on and notes it in the log of recorder.h.
 *
 * It takes no lock, keeps no file open and allocates nothing: it can be called
 * from anywhere the program can call malloc. Only the process named in the
 * environment is recorded. The page `on` is wiped in every child by the kernel,
 * however the child was made, so a child never writes to the log; a child made
 * by vfork shares its parent's heap and is part of it until it execs.
 */
#include "recorder.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* --- The functions behind these ----------------------------------------- */

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void (*free)(void *);
    _Atomic bool known;
} real;

/*
 * True while this thread is inside one of the functions below: what the
 * allocator, or the look-up of its symbols, allocates for itself is not the
 * program's doing. Initial-exec, because other kinds of TLS call malloc;
 * volatile, because <dlfcn.h> tells the compiler that dlsym calls nothing here.
 */
static _Thread_local volatile bool inside __attribute__((tls_model("initial-exec")));

static void look_up(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

/*
 * Whether the real functions can be called. False only in calls made by their
 * look-up itself. Threads that come here together do the same work twice,
 * rather than wait for each other inside the dynamic linker's lock.
 */
static bool resolved(void)
{
    if (atomic_load_explicit(&real.known, memory_order_acquire)) {
        return true;
    }
    if (inside) {
        return false;
    }
    inside = true;
    look_up(&real.malloc, "malloc");
    look_up(&real.calloc, "calloc");
    look_up(&real.realloc, "realloc");
    look_up(&real.posix_memalign, "posix_memalign");
    look_up(&real.aligned_alloc, "aligned_alloc");
    look_up(&real.memalign, "memalign");
    look_up(&real.valloc, "valloc");
    look_up(&real.pvalloc, "pvalloc");
    look_up(&real.free, "free");
    inside = false;
    atomic_store_explicit(&real.known, true, memory_order_release);
    return true;
}

/* --- Memory for the look-up --------------------------------------------- */

/* Given out once and never taken back; in front of each block stands its size. */
static _Alignas(64) char arena[1 << 20];
static _Atomic size_t arena_used;

static void *arena_take(size_t bytes, size_t alignment)
{
    if (alignment < _Alignof(max_align_t)) {
        alignment = _Alignof(max_align_t);
    }
    if (bytes > sizeof arena || alignment > sizeof arena) {
        errno = ENOMEM;
        return NULL;
    }
    size_t begin = atomic_fetch_add(&arena_used, sizeof(size_t) + alignment + bytes) + sizeof(size_t);
    uintptr_t place = ((uintptr_t)arena + begin + alignment - 1) & ~(uintptr_t)(alignment - 1);
    if (place + bytes > (uintptr_t)arena + sizeof arena) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = (char *)place;
    memcpy(block - sizeof(size_t), &bytes, sizeof bytes);
    return block;
}

static bool in_arena(const void *block)
{
    return (uintptr_t)block - (uintptr_t)arena < sizeof arena;
}

/* Moves a block out of the arena, or within it while the look-up goes on. */
static void *arena_leave(void *old, size_t bytes)
{
    size_t old_bytes;
    memcpy(&old_bytes, (char *)old - sizeof(size_t), sizeof old_bytes);
    void *block = malloc(bytes);
    if (block) {
        memcpy(block, old, old_bytes < bytes ? old_bytes : bytes);
    }
    return block;
}

/* --- The log ------------------------------------------------------------ */

enum { GROWTH = 1 << 24 };

enum state { UNTRIED, STARTING, STARTED, REFUSED };

static _Atomic int state;
static struct recorder_log *recorder_log;
static _Atomic unsigned char *on; /* its page is empty in a child */
static uint64_t event_limit;      /* events that the mapping has addresses for */
static _Atomic uint64_t ready;    /* bytes of the file that are there */
static char log_path[PATH_MAX];

static void stop(int error)
{
    uint32_t none = 0;
    atomic_compare_exchange_strong(&recorder_log->error, &none, (uint32_t)error);
    atomic_store(on, 0);
}

/*
 * A limit on the size of files would end the program by SIGXFSZ; here it is an
 * error like any other.
 */
static int reserve(int fd, uint64_t bytes)
{
    static const struct timespec at_once;
    sigset_t limit, before;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &limit, &before);
    int error = fallocate(fd, 0, 0, (off_t)bytes) != 0 ? errno : 0;
    if (error == EFBIG) {
        sigtimedwait(&limit, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/*
 * Makes sure that the file really has its first `bytes` bytes: a mapped page
 * that the disk has no room for would kill the program. The file is opened
 * anew, because a program may close all the descriptors it does not know; and
 * not as a cancellation point, because malloc is none.
 */
static bool grow(uint64_t bytes)
{
    uint64_t wanted = (bytes + GROWTH - 1) / GROWTH * GROWTH;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    int fd = open(log_path, O_RDWR | O_CLOEXEC);
    int error = fd < 0 ? errno : reserve(fd, wanted);
    if (fd >= 0) {
        close(fd);
    }
    pthread_setcancelstate(cancel, NULL);
    if (error != 0) {
        stop(error);
        return false;
    }
    uint64_t old = atomic_load(&ready);
    while (old < wanted && !atomic_compare_exchange_weak(&ready, &old, wanted)) {
    }
    return true;
}

/* Maps far more addresses than the file has bytes; it grows under them. */
static bool map_log(int fd)
{
    uint64_t bytes = UINT64_C(1) << (sizeof(void *) > 4 ? 38 : 30);
    void *mapped;
    do {
        bytes /= 2;
        mapped = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    } while (mapped == MAP_FAILED && bytes > GROWTH);
    if (mapped == MAP_FAILED) {
        return false;
    }
    madvise(mapped, (size_t)bytes, MADV_DONTDUMP);
    recorder_log = mapped;
    event_limit = (bytes - sizeof *recorder_log) / sizeof recorder_log->events[0];
    return true;
}

static void name_image(struct recorder_log *log)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : program_invocation_short_name;
    size_t shown = strnlen(name, sizeof log->image - 1);
    memcpy(log->image, name, shown);
    log->image[shown] = '\0';
}

static void begin_image(struct recorder_log *log)
{
    log->start = atomic_load(&log->next);
    log->images++;
    log->pointer_bits = CHAR_BIT * sizeof(void *);
    name_image(log);
}

/* Where the log does not fit into the address space, its head does, and says why nothing follows. */
static void refuse(int fd, int error)
{
    struct recorder_log *head = mmap(NULL, sizeof *head, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (head == MAP_FAILED) {
        return;
    }
    if (head->magic == RECORDER_MAGIC) {
        begin_image(head);
        atomic_store(&head->error, (uint32_t)error);
    }
    munmap(head, sizeof *head);
}

static bool open_log(void)
{
    int fd = open(log_path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool fine = map_log(fd);
    if (!fine) {
        refuse(fd, errno);
    }
    close(fd);
    return fine && recorder_log->magic == RECORDER_MAGIC;
}

static bool make_switch(void)
{
    void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    on = page;
    atomic_store(on, 1);
    return madvise(page, 1, MADV_WIPEONFORK) == 0;
}

/* An exec begins the recording anew: the heap of the program before is gone. */
static bool start(void)
{
    const char *path = getenv(RECORDER_ENV_FILE);
    const char *pid = getenv(RECORDER_ENV_PID);
    if (!path || !pid || strlen(path) >= sizeof log_path || strtol(pid, NULL, 10) != (long)getpid()) {
        return false;
    }
    strcpy(log_path, path); /* NOLINT(*insecureAPI.strcpy): its length was compared above */
    if (!open_log()) {
        return false;
    }
    begin_image(recorder_log);
    if (!make_switch()) {
        atomic_store(&recorder_log->error, (uint32_t)errno);
        return false;
    }
    return true;
}

static bool recording(void)
{
    int now = atomic_load_explicit(&state, memory_order_acquire);
    if (now == UNTRIED && environ && atomic_compare_exchange_strong(&state, &now, STARTING)) {
        now = start() ? STARTED : REFUSED;
        atomic_store(&state, now);
    }
    while (now == STARTING) {
        sched_yield();
        now = atomic_load(&state);
    }
    return now == STARTED && atomic_load_explicit(on, memory_order_relaxed);
}

/* Returns the number of the event, or 0 if it was not noted; no RESIZE event has the number 0. */
static uint64_t note(enum recorder_kind kind, const void *address, size_t size, uint32_t align_shift,
                     uint64_t link)
{
    int saved = errno;
    uint64_t number = 0;
    if (recording()) {
        number = atomic_fetch_add(&recorder_log->next, 1);
        uint64_t end = sizeof *recorder_log + (number + 1) * sizeof recorder_log->events[0];
        if (number >= event_limit) {
            stop(EFBIG);
        } else if (end <= atomic_load(&ready) || grow(end)) {
            struct recorder_event *event = &recorder_log->events[number];
            event->align_shift = align_shift;
            event->address = (uint64_t)(uintptr_t)address;
            event->size = size;
            event->link = link;
            atomic_store_explicit(&event->kind, kind, memory_order_release);
        }
    }
    errno = saved;
    return number;
}

__attribute__((constructor)) static void loaded(void)
{
    if (resolved()) {
        recording();
    }
}

/* --- The malloc family -------------------------------------------------- */

/* Whether this call is the program's own, and not one of the allocator's inside it. */
static bool enter(void)
{
    bool outer = !inside;
    inside = true;
    return outer;
}

static void leave(bool outer)
{
    if (outer) {
        inside = false;
    }
}

static void *leave_with(bool outer, void *block, size_t bytes, uint32_t align_shift)
{
    if (outer && block) {
        note(RECORDER_ALLOC, block, bytes, align_shift, 0);
    }
    leave(outer);
    return block;
}

/* An alignment that is no power of two is rounded up to one by the C library. */
static uint32_t shift_of(size_t alignment)
{
    uint32_t shift = 0;
    while (shift < sizeof alignment * CHAR_BIT - 1 && (size_t)1 << shift < alignment) {
        shift++;
    }
    return shift;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

EXPORT void *malloc(size_t bytes)
{
    if (!resolved()) {
        return arena_take(bytes, 1);
    }
    bool outer = enter();
    return leave_with(outer, real.malloc(bytes), bytes, 0);
}

EXPORT void *calloc(size_t count, size_t bytes)
{
    size_t all;
    if (!resolved()) {
        return __builtin_mul_overflow(count, bytes, &all) ? NULL : arena_take(all, 1);
    }
    bool outer = enter();
    void *block = real.calloc(count, bytes);
    return leave_with(outer, block, count * bytes, 0);
}

/* Between the two events the object has no address: another thread may get the old one. */
static void *note_resize(bool outer, uint64_t begun, void *block, size_t bytes)
{
    if (begun != 0 && block) {
        note(RECORDER_RESIZED, block, bytes, 0, begun);
    } else if (begun != 0) {
        note(bytes == 0 ? RECORDER_RESIZE_FREED : RECORDER_RESIZE_FAILED, NULL, 0, 0, begun);
    }
    leave(outer);
    return block;
}

EXPORT void *realloc(void *old, size_t bytes)
{
    if (in_arena(old)) {
        return arena_leave(old, bytes);
    }
    if (!resolved()) {
        return arena_take(bytes, 1);
    }
    bool outer = enter();
    if (!old) {
        return leave_with(outer, real.realloc(NULL, bytes), bytes, 0);
    }
    uint64_t begun = outer ? note(RECORDER_RESIZE, old, 0, 0, 0) : 0;
    return note_resize(outer, begun, real.realloc(old, bytes), bytes);
}

EXPORT void *reallocarray(void *old, size_t count, size_t bytes)
{
    size_t all;
    if (__builtin_mul_overflow(count, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, all);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    if (!resolved()) {
        *out = arena_take(bytes, alignment);
        return *out ? 0 : ENOMEM;
    }
    bool outer = enter();
    int result = real.posix_memalign(out, alignment, bytes);
    leave_with(outer, result == 0 ? *out : NULL, bytes, shift_of(alignment));
    return result;
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (!resolved()) {
        return arena_take(bytes, alignment);
    }
    bool outer = enter();
    return leave_with(outer, real.aligned_alloc(alignment, bytes), bytes, shift_of(alignment));
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
    if (!resolved()) {
        return arena_take(bytes, alignment);
    }
    bool outer = enter();
    return leave_with(outer, real.memalign(alignment, bytes), bytes, shift_of(alignment));
}

EXPORT void *valloc(size_t bytes)
{
    if (!resolved()) {
        return arena_take(bytes, page_bytes());
    }
    bool outer = enter();
    return leave_with(outer, real.valloc(bytes), bytes, shift_of(page_bytes()));
}

/* Promises whole pages, so whole pages are what was asked for. */
EXPORT void *pvalloc(size_t bytes)
{
    size_t page = page_bytes();
    if (!resolved()) {
        return arena_take(bytes, page);
    }
    bool outer = enter();
    void *block = real.pvalloc(bytes);
    return leave_with(outer, block, (bytes + page - 1) / page * page, shift_of(page));
}

EXPORT void free(void *block)
{
    if (!block || in_arena(block) || !resolved()) {
        return;
    }
    bool outer = enter();
    if (outer) {
        note(RECORDER_FREE, block, 0, 0, 0);
    }
    real.free(block);
    leave(outer);
}
