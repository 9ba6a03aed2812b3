# SPDX-License-Identifier: MIT
# Wrong programs get the diagnostics that tests/misuse.txt demands, from each
# compiler, and no other; right ones get none. With --table it prints what the
# table says instead, a line for each wrong program: its name and, after a tab
# each, the option that reports it in gcc, g++, clang, clang++; "error", for what
# no option can turn off; "-", for what the compiler does not see.
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${top_builddir:=.}"
. "$top_srcdir/tests/package.sh"
cd "$scratch"

# Splits the list: N.kind, N.name, N.c, and in N.COMPILER the diagnostics.
awk -v prologue='#include <defrag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct holder { defrag_handle handle; };
DEFRAG_POOL_DEFINE(memory, 512);
void fill(defrag_pool *pool, defrag_handle h) DEFRAG_REQUIRES(h);
char *open_text(defrag_pool *pool, defrag_handle h) DEFRAG_TRY_ACQUIRE(1, h);
void close_text(defrag_pool *pool, defrag_handle h) DEFRAG_RELEASE(h);
defrag_visitor visit;
int use(defrag_pool *pool, defrag_pool *second, defrag_handle h, defrag_handle other, defrag_handle *table,
        struct holder *holder, defrag_request *request);
int use(defrag_pool *pool, defrag_pool *second, defrag_handle h, defrag_handle other, defrag_handle *table,
        struct holder *holder, defrag_request *request)
{
    (void)pool; (void)second; (void)h; (void)other; (void)table; (void)holder; (void)request; (void)memory;' '
function finish() {
    if (number)
        print "    return 0;\n}" >(number ".c")
}
/^#/ { next }
/^== / {
    finish()
    file = ++number
    sub(/^== /, "")
    kind = name = $0
    sub(/:.*/, "", kind)
    sub(/^[a-z]*: /, "", name)
    if (kind !~ /^(wrong|right|doubted)$/ || name in seen)
        bad = bad $0 "\n"
    seen[name]
    print kind >(file ".kind")
    print name >(file ".name")
    print prologue >(file ".c")
    next
}
/^(gcc|g\+\+|clang|clang\+\+|all)(,[a-z+]+)*: / {
    compilers = text = $0
    sub(/:.*/, "", compilers)
    sub(/^[^:]*: /, "", text)
    if (compilers == "all")
        compilers = "gcc,g++,clang,clang++"
    count = split(compilers, one, ",")
    for (i = 1; i <= count; i++)
        print text >(file "." one[i])
    next
}
/^    |^[a-z_]+:$/ { print >(file ".c"); next }
NF { bad = bad $0 "\n" }
END {
    finish()
    print number >"count"
    if (bad) {
        printf "not understood, or twice:\n%s", bad
        exit 1
    }
}' "$top_srcdir/tests/misuse.txt" || fail "tests/misuse.txt"
count=$(cat count)

# The first diagnostic's option, as a cell of the table.
cell() {
    [ -f "$1" ] || { echo -; return; }
    sed -e 's/:.*//' -e '/^error$/!s/^/-W/' -e q "$1"
}

if [ "${1-}" = --table ]; then
    printf 'misuse\tgcc\tg++\tclang\tclang++\n'
    n=0
    while [ $((n += 1)) -le "$count" ]; do
        [ "$(cat $n.kind)" = wrong ] || continue
        cat $n.name
        for compiler in gcc g++ clang clang++; do
            cell "$n.$compiler"
        done
    done | paste - - - - -
    exit
fi

compile() { # compile COMPILER FILE: with its messages in FILE.COMPILER.out
    case $1 in
    gcc) set -- "$@" -std=c11 -O2 ;;
    g++) set -- "$@" -x c++ -std=c++11 -O2 ;;
    clang) set -- "$@" -std=c11 -Wthread-safety ;;
    clang++) set -- "$@" -x c++ -std=c++11 -Wthread-safety ;;
    esac
    compiler=$1 file=$2
    shift 2
    LC_ALL=C "$compiler" "$@" -Wall -Wextra -Werror -I"$lib" -S -o "$file.$compiler.s" "$file" \
        >"$file.$compiler.out" 2>&1
}

# What the compiler said, one "option: message" or "error: message" a line.
messages() {
    sed -n -e 's/.*: error: \(.*\)/error: \1/; t found' -e d -e ':found' -e 's/mutex/block/' \
        -e 's/^error: \(.*\) \[-W[^]]*-W\([^]=]*\)=*\]$/\2: \1/; t done' \
        -e 's/^error: \(.*\) \[-Werror=\([^]=]*\)=*\]$/\2: \1/' -e ':done' -e p "$1"
}

# compare N COMPILER: 0, or the reason on standard output.
compare() {
    expected=$1.$2 said=$1.c.$2.said
    compile "$2" "$1.c" && status=0 || status=$?
    if [ ! -f "$expected" ]; then
        [ "$(cat "$1.kind")" = right ] || $exact || return 0
        [ "$status" -eq 0 ] && [ ! -s "$1.c.$2.out" ] || { echo "should say nothing"; return 1; }
        return 0
    fi
    if ! $exact; then
        [ "$(cat "$1.kind")" = doubted ] || [ "$status" -ne 0 ] || { echo "should be refused"; return 1; }
        return 0
    fi
    messages "$1.c.$2.out" >"$said"
    while IFS= read -r line; do
        grep -Eq "^${line%%: *}: .*${line#*: }" "$said" || { echo "should say $line"; return 1; }
    done <"$expected"
    sed 's/\([^:]*: \)/^\1.*/' "$expected" >"$expected.patterns"
    ! grep -Evq -f "$expected.patterns" "$said" || { echo "says more than it should"; return 1; }
}

# all_of COMPILER: each program of the list.
all_of() {
    n=0 failed=0
    while [ $((n += 1)) -le "$count" ]; do
        reason=$(compare "$n" "$1") && continue
        failed=$((failed + 1))
        echo "FAILED: $1: $(cat $n.kind): $(cat $n.name): $reason"
        head -n 12 "$n.c.$1.out" | sed 's/^/    /'
    done
    echo "$1: $count programs, $failed failed"
    [ "$failed" -eq 0 ]
}

# The list was made with these. Another version may word a message differently, or
# see more: of it is demanded that wrong programs are refused and right ones are not.
made_with() {
    case $1 in
    gcc | g++) echo 12 ;;
    clang*) echo 14 ;;
    esac
}

tried= bad=0
for compiler in $(compilers_of gcc g++ clang clang++); do
    version=$(echo __GNUC__ __clang_major__ | "$compiler" -E -P - | awk 'NF { print $2 + 0 ? $2 : $1 }')
    exact=true
    [ "$version" = "$(made_with "$compiler")" ] || {
        echo "NOTE: $compiler is version $version, the list was made with $(made_with "$compiler"):" \
            "what it says is not compared"
        exact=false
    }
    all_of "$compiler" >"$compiler.report" &
    tried="$tried $compiler:$!"
done
[ -n "$tried" ] || skip "none of gcc, g++, clang, clang++ is here"
for job in $tried; do
    wait "${job##*:}" || bad=1
    cat "${job%:*}.report"
done
[ "$bad" -eq 0 ]
