#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the compiler says of a result that must not be ignored, of a null pointer
# that no function takes, and of a lock that is read as another type.
set -u
src=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0 count=0

compile() { # compile COMPILER STATEMENT
    cat >"$dir/case.c" <<END
#include <defrag.h>
void use(defrag_pool *pool, defrag_handle h, defrag_request *r, void *p, const void *cp);
void use(defrag_pool *pool, defrag_handle h, defrag_request *r, void *p, const void *cp)
{
    (void)pool; (void)h; (void)r; (void)p; (void)cp;
    $2;
}
END
    $1 -std=c11 -Wall -Wextra -Werror=unused-result -Werror=nonnull -Werror=incompatible-pointer-types \
        -c -o "$dir/case.o" -I"$src/lib" "$dir/case.c" >"$dir/out" 2>&1
}

refused() { # refused STATEMENT DIAGNOSTIC
    for cc in $compilers; do
        count=$((count + 1))
        if compile "$cc" "$1" || ! grep -q "error: .*$2" "$dir/out"; then
            failed=$((failed + 1))
            echo "FAILED: $cc: \"$1\" should say: $2"
            cat "$dir/out"
        fi
    done
}

accepted() { # accepted STATEMENT
    for cc in $compilers; do
        count=$((count + 1))
        compile "$cc" "$1" && [ ! -s "$dir/out" ] || {
            failed=$((failed + 1))
            echo "FAILED: $cc: \"$1\" is right, but is not accepted"
            cat "$dir/out"
        }
    done
}

compilers=
for cc in "${CC:-cc}" gcc clang; do
    echo 'typedef int x;' >"$dir/probe.c"
    $cc -fsyntax-only "$dir/probe.c" >/dev/null 2>&1 || continue
    case " $compilers " in
    *" $cc "*) ;;
    *) case $cc in *' '*) ;; *) compilers="$compilers $cc" ;; esac ;;
    esac
done
[ -n "$compilers" ] || {
    echo 'SKIPPED: no compiler was found that can be called by one word'
    exit 77
}

ignored='ignoring return value'
refused 'defrag_init(&pool, p, 100, NULL)' "$ignored"
refused 'defrag_attach(&pool, p, 100, NULL)' "$ignored"
refused 'defrag_alloc(pool, 1, &h)' "$ignored"
refused 'defrag_alloc_fast(pool, 1, &h)' "$ignored"
refused 'defrag_alloc_slice(pool, 1, 1, &h)' "$ignored"
refused 'defrag_alloc_slice_fast(pool, 1, 1, &h)' "$ignored"
refused 'defrag_alloc_request(pool, r, &h)' "$ignored"
refused 'defrag_resize(pool, h, 1)' "$ignored"
refused 'defrag_lock(pool, h)' "$ignored"
refused 'defrag_lock_shared(pool, h)' "$ignored"
refused 'defrag_try_lock(pool, h, &p)' "$ignored"
refused 'defrag_try_lock_shared(pool, h, &cp)' "$ignored"
refused 'defrag_read(pool, h, 0, p, 1)' "$ignored"
refused 'defrag_write(pool, h, 0, p, 1)' "$ignored"
refused 'defrag_compact_step(pool, 1, NULL)' "$ignored"
refused 'defrag_make_room(pool, 1)' "$ignored"
refused 'defrag_check(pool)' "$ignored"

accepted 'defrag_free(pool, &h)'
accepted '(void)defrag_free(pool, &h)'
accepted 'defrag_unlock(pool, h)'
accepted '(void)defrag_unlock(pool, h)'
accepted 'defrag_clean(pool)'
accepted 'defrag_compact(pool)'
accepted 'defrag_walk(pool, (defrag_visitor *)0, p)'

refused 'if (defrag_alloc(NULL, 1, &h)) return' 'null'
refused 'if (defrag_alloc(pool, 1, NULL)) return' 'null'
refused 'if (defrag_alloc_request(pool, NULL, &h)) return' 'null'
refused 'defrag_free(pool, NULL)' 'null'
accepted 'if (defrag_init(&pool, p, 1, NULL)) return'
accepted 'if (defrag_read(pool, h, 0, NULL, 0)) return'
accepted 'if (defrag_compact_step(pool, 1, NULL)) return'

# Only gcc sees through the lock to its type.
case " $compilers " in
*' gcc '*)
    compilers=gcc
    refused 'int *n = DEFRAG_LOCK(char, pool, h); (void)n' 'incompatible pointer type'
    refused 'int *n = 0; DEFRAG_WITH(char, c, pool, h) { n = c; } (void)n' 'incompatible pointer type'
    accepted 'int *n = DEFRAG_LOCK(int, pool, h); (void)n'
    ;;
esac

echo "$count programs, $failed failed"
[ "$failed" -eq 0 ]
