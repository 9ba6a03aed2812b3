#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Clang's thread-safety analysis on programs that use locks wrongly, each of which
# must get the diagnostic named beside it, and on natural right ones, which must
# get none. (Some messages say mutex where others say block.)
set -u
src=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
clang=${CLANG:-clang}
command -v "$clang" >/dev/null 2>&1 || {
    echo "SKIPPED: the thread-safety analysis needs clang, and there is no $clang (apt-get install clang)"
    exit 77
}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0 count=0

# Compiles the function whose body is on standard input; diagnostics go to $dir/out.
compile() {
    {
        printf '%s\n' '#include <defrag.h>' 'struct holder { defrag_handle handle; };' \
            'int use(defrag_pool *pool, defrag_handle h, defrag_handle other, struct holder *holder);' \
            'int use(defrag_pool *pool, defrag_handle h, defrag_handle other, struct holder *holder)' \
            '{ (void)pool; (void)h; (void)other; (void)holder;'
        cat
        echo ' return 0; }'
    } >"$dir/case.c"
    "$clang" -std=c11 -Wall -Wextra -Werror=thread-safety -Werror=unused-result -fsyntax-only \
        -I"$src/lib" "$dir/case.c" >"$dir/out" 2>&1
}

report() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    cat "$dir/case.c" "$dir/out"
}

wrong() { # wrong TITLE DIAGNOSTIC <<body
    count=$((count + 1))
    if compile; then
        report "$1: compiles, but should say: $2"
    elif ! sed 's/mutex/block/' "$dir/out" | grep -q "error: .*$2"; then
        report "$1: should say: $2"
    fi
}

right() { # right TITLE <<body
    count=$((count + 1))
    compile && ! grep -q 'warning:' "$dir/out" || report "$1: is right, but is not accepted"
}

wrong 'a lock that is never released' "block 'h' is not held on every path" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p)
        p[0] = 0;
    else
        return 1;
BODY
wrong 'a lock that is not released on one path' "block 'h' is not held on every path" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        if (p[0])
            (void)defrag_unlock(pool, h);
    }
BODY
wrong 'an early return with the lock held' "block 'h' is not held on every path" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (!p)
        return 1;
    if (p[0])
        return 2;
    (void)defrag_unlock(pool, h);
BODY
wrong 'a double lock' "acquiring block 'h' that is already held" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        char *q = defrag_lock(pool, h);
        if (q)
            q[0] = p[0];
        (void)defrag_unlock(pool, h);
    }
BODY
wrong 'an unlock without a lock' "releasing block 'h' that was not held" <<'BODY'
    (void)defrag_unlock(pool, h);
BODY
wrong 'an unlock too many' "releasing block 'h' that was not held" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        (void)defrag_unlock(pool, h);
        (void)defrag_unlock(pool, h);
    }
BODY
wrong 'an unlock of another handle' "releasing block 'other' that was not held" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p)
        (void)defrag_unlock(pool, other);
BODY
wrong 'a free while locked' "cannot call function 'defrag_free' while block 'h' is held" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        (void)defrag_free(pool, &h);
        (void)defrag_unlock(pool, h);
    }
BODY
wrong 'a write while locked' "cannot call function 'defrag_write' while block 'h' is held" <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        int status = defrag_write(pool, h, 0, "x", 1);
        (void)defrag_unlock(pool, h);
        return status;
    }
BODY
wrong 'a shared lock that is not released' "block 'h' is not held on every path" <<'BODY'
    const char *p = defrag_lock_shared(pool, h);
    if (!p)
        return 1;
    return p[0];
BODY
wrong 'try_lock without unlock' "block 'h' is not held on every path" <<'BODY'
    void *p;
    if (defrag_try_lock(pool, h, &p) != 0)
        return 1;
BODY
wrong 'try_lock_shared without unlock' "block 'h' is not held on every path" <<'BODY'
    const void *p;
    if (defrag_try_lock_shared(pool, h, &p) != DEFRAG_OK)
        return 1;
BODY
wrong 'an unlock where the lock failed' "releasing block 'h' that was not held" <<'BODY'
    void *p;
    if (defrag_try_lock(pool, h, &p) != DEFRAG_OK) {
        (void)defrag_unlock(pool, h);
        return 1;
    }
    (void)defrag_unlock(pool, h);
BODY
wrong 'a lock in a loop' "expecting block 'h' to be held at start of each loop" <<'BODY'
    for (int i = 0; i < 3; i++) {
        char *p = defrag_lock(pool, h);
        if (p)
            p[i] = 0;
        else
            return 1;
    }
BODY
wrong 'a member that stays locked' "block 'holder->handle' is not held on every path" <<'BODY'
    char *p = defrag_lock(pool, holder->handle);
    if (!p)
        return 1;
BODY

right 'lock, use, unlock' <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        p[0] = 0;
        (void)defrag_unlock(pool, h);
    }
BODY
right 'return where the lock failed' <<'BODY'
    char *p = defrag_lock(pool, h);
    if (!p)
        return 1;
    p[0] = 0;
    return defrag_unlock(pool, h);
BODY
right 'try_lock compared with DEFRAG_OK' <<'BODY'
    void *p;
    if (defrag_try_lock(pool, h, &p) == DEFRAG_OK) {
        *(char *)p = 0;
        (void)defrag_unlock(pool, h);
    }
BODY
right 'try_lock compared with 0, and a return' <<'BODY'
    void *p;
    if (defrag_try_lock(pool, h, &p) != 0)
        return 1;
    *(char *)p = 0;
    (void)defrag_unlock(pool, h);
BODY
right 'a shared lock' <<'BODY'
    const char *p = defrag_lock_shared(pool, h);
    if (p) {
        int c = p[0];
        (void)defrag_unlock(pool, h);
        return c;
    }
BODY
right 'try_lock_shared' <<'BODY'
    const void *p;
    if (defrag_try_lock_shared(pool, h, &p) == DEFRAG_OK)
        (void)defrag_unlock(pool, h);
BODY
right 'free after unlock' <<'BODY'
    char *p = defrag_lock(pool, h);
    if (p) {
        p[0] = 0;
        (void)defrag_unlock(pool, h);
    }
    (void)defrag_free(pool, &h);
BODY
right 'two handles at once' <<'BODY'
    char *p = defrag_lock(pool, h);
    if (!p)
        return 1;
    char *q = defrag_lock(pool, other);
    if (q) {
        q[0] = p[0];
        (void)defrag_unlock(pool, other);
    }
    (void)defrag_unlock(pool, h);
BODY
right 'a member of a struct' <<'BODY'
    char *p = defrag_lock(pool, holder->handle);
    if (p) {
        p[0] = 0;
        (void)defrag_unlock(pool, holder->handle);
    }
BODY
right 'typed locks' <<'BODY'
    int *p = DEFRAG_LOCK(int, pool, h);
    if (p) {
        p[0] = 1;
        (void)defrag_unlock(pool, h);
    }
    const int *q = DEFRAG_LOCK_SHARED(int, pool, h);
    if (q) {
        int n = q[0];
        (void)defrag_unlock(pool, h);
        return n;
    }
BODY
right 'scoped locks, left in every way' <<'BODY'
    DEFRAG_WITH(char, text, pool, h) { text[0] = 0; }
    DEFRAG_WITH(char, text, pool, h) { if (text[0]) break; text[0] = 1; }
    DEFRAG_WITH(char, text, pool, h) { if (text[0]) continue; text[0] = 1; }
    DEFRAG_WITH(char, text, pool, h) {
        DEFRAG_WITH_SHARED(char, from, pool, other) { if (from[0]) return text[0]; }
    }
    (void)defrag_free(pool, &h);
BODY
right 'allocation, reading and writing, resizing, freeing' <<'BODY'
    defrag_handle block;
    char c = 1;
    if (defrag_alloc(pool, 10, &block) != DEFRAG_OK)
        return 1;
    if (defrag_write(pool, block, 0, &c, 1) != DEFRAG_OK || defrag_read(pool, block, 0, &c, 1) != DEFRAG_OK)
        return 2;
    if (defrag_resize(pool, block, 20) != DEFRAG_OK)
        return 3;
    (void)defrag_free(pool, &block);
BODY

echo "$count programs, $failed failed"
[ "$failed" -eq 0 ]
