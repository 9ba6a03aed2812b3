# SPDX-License-Identifier: MIT
# `defrag-bench compare`: other mallocs and plugins are loaded, measured and watched, and what they do wrong
# is told. Times are never compared.
. "${top_srcdir:?}/tests/tool.sh"
cd "$scratch"
# Whatever the tool itself was compiled for: a sanitizer's allocator cannot be replaced.
! nm "$bench" 2>/dev/null | grep -q __asan_init || skip "the tool has AddressSanitizer's malloc"
command -v gcc >/dev/null || skip "no gcc here"

# module FILE SOURCE ARGUMENT...
module() {
    file=$1
    shift
    gcc -O1 -w -shared -fPIC -I"$top_srcdir/tools" -o "$file" "$@" || fail "gcc $*"
}

{
    printf 'defrag-trace 1\na 1 100\na 2 200\na 3 300\nl 1\nf 2\nu 1\nr 3 450\n'
    printf 'a 4 150\na 5 0\nr 4 90\nf 1\nr 5 20\nf 5\n'
} >small
printf 'defrag-trace 1\n' >empty
printf 'defrag-trace 1\na 1 600000\n' >big
awk 'BEGIN {
    print "defrag-trace 1"
    for (i = 1; i <= 4000; i++) {
        print "a", i, 8 + i * 7919 % 500
        if (i > 100)
            print "f", i - 100
        if (i % 5 == 0)
            print "r", i, 16 + i * 31 % 300
    }
}' >long

# --- What it is for -----------------------------------------------------------

gives 0 compare --runs=2 small empty
quiet
for text in 'ratios to those of libdefrag, and the least and the most of 2 runs' '^small  *libdefrag ' '^  *glibc ' \
    '^geometric mean' '^empty ' 'narrow layout, alignment 8'; do
    prints "$text"
done
prints '^ *glibc  *-' # an empty trace has no times
gives 0 compare --runs=1 --policy=libdefrag --policy=tlsf --policy=buddy --layout=wide --alignment=16 --pool=1M long
prints 'wide layout, alignment 16'
prints 'pools of 1,048,576 bytes'
prints '^  *tlsf  *-  *-  *-  *-  *-  *-  *[0-9,]*  *[0-9.]*  *0 ' # a simulation has no times
gives 0 compare --help
prints 'Exit status'

# What was moved is what `replay` says; and nothing depends on the standard files.
timeout $patience "$bench" compare --runs=1 --json --pool=40K --policy=libdefrag --policy=first-fit long >compared <&- 2>&- ||
    fail "standard input and error closed: status $?"
gives 0 replay --json --pool=40K --policy=libdefrag --policy=first-fit long
for policy in libdefrag first-fit; do
    for output in compared output; do
        sed -n '/"results"/,$p' $output | sed -n "/\"$policy\",/,/}/s/^ *\"moved_bytes\": \([0-9]*\),/\1/p" >"$output.moved"
    done
    [ -s output.moved ] && [ "$(cat output.moved)" -gt 0 ] || fail "$policy moves nothing"
    cmp -s compared.moved output.moved || fail "$policy: $(cat compared.moved) moved, replay says $(cat output.moved)"
done

# The example as it says itself that it is compiled, without a warning. The second is of an older standard, and C++.
gcc -std=c11 -O2 -Wall -Wextra -Wconversion -Werror -shared -fPIC -I"$top_srcdir/tools" -o plugin.so \
    "$top_srcdir/examples/plugin.c" || fail "examples/plugin.c does not compile"
# What it says is all for TLSF, with something in place of TLSF.
sed -n 's/^ \*   \(.*\)/\1/p' "$top_srcdir/examples/plugin.c" | sed -n '/#include/,$p' >tlsf.c
grep -q defrag_plugin_resize tlsf.c || fail "the example shows no plugin for TLSF"
cat >tlsf.h <<'END'
static unsigned char *next, *end;
static void *tlsf_create_with_pool(void *memory, size_t bytes) { end = (next = memory) + bytes; return memory; }
static void *tlsf_malloc(void *heap, size_t bytes)
{
    unsigned char *block = next;
    return bytes + 8 > (size_t)(end - next) ? 0 : (next += (bytes + 7) / 8 * 8, block);
}
static void tlsf_free(void *heap, void *block) { }
static void *tlsf_realloc(void *heap, void *block, size_t bytes)
{
    unsigned char *other = tlsf_malloc(heap, bytes);
    for (size_t i = 0; other && i < bytes; i++)
        other[i] = ((unsigned char *)block)[i];
    return other;
}
END
module tlsf.so -std=c11 tlsf.c
gives 0 compare --runs=1 --allocator=./tlsf.so small
prints '^  *TLSF '

printf '#include <defrag_plugin.h>\nint main(void) { return 0; }\n' >header.c
gcc -std=c99 -pedantic -Wall -Werror -I"$top_srcdir/tools" -o header header.c || fail "defrag_plugin.h as C99"
! command -v g++ >/dev/null || g++ -std=c++11 -pedantic -Wall -Werror -x c++ -I"$top_srcdir/tools" -o header header.c ||
    fail "defrag_plugin.h as C++"
gives 0 compare --runs=1 --allocator=./plugin.so --allocator=glibc --allocator=plugin.so small long
quiet
[ "$(grep -c ' first-fit-example ' output)" = 6 ] || fail "not two rows for each trace and the mean: $(cat output)"
grep -q 'first-fit-example .* 0  *0$' output || fail "no figures of the plugin: $(cat output)"
mkdir 'a folder:of'
cp plugin.so 'a folder:of/p.so'
gives 0 compare --runs=1 --allocator='a folder:of/p.so' small

# With nothing locked, the smallest pool is the one that `size` tells.
sed '/^[lu] /d' small >unlocked
head -n 3000 long >short
for trace in unlocked short long; do
    gives 0 size --policy=libdefrag --json $trace
    smallest=$(sed -n 's/^ *"bytes": \([0-9]*\),.*/\1/p' output)
    gives 0 compare --runs=1 --json $trace
    prints "\"footprint_bytes\": $smallest,"
done
[ "$smallest" -gt 1000 ] || fail "size tells no size"
gives 0 compare --runs=1 --json --policy=first-fit --allocator=./plugin.so short
for bytes in $(sed -n 's/^ *"footprint_bytes": \([0-9]*\),.*/\1/p' output | tail -n 1); do
    gives 0 compare --runs=1 --pool="$bytes" --policy=first-fit --allocator=./plugin.so short
    gives 1 compare --runs=1 --pool="$((bytes - 8))" --policy=first-fit --allocator=./plugin.so short
    prints '^short, first-fit-example: the first failure'
done

# A worker gets what is named, whatever this program was started with.
module plain.so -DWRONG=NOTHING "$top_srcdir/tests/compare/bad_malloc.c"
gives 0 compare --runs=1 --allocator=./plain.so small
prints '^  *plain  .* 0 '
module refusing.so -DWRONG=REFUSE "$top_srcdir/tests/compare/bad_malloc.c"
LD_PRELOAD=$scratch/refusing.so "$bench" compare --runs=1 small >output 2>said || fail "glibc is not what it is called: $(cat output)"
mkdir b
cp plain.so 'b/lib white:malloc.so.3'
gives 0 compare --runs=1 --allocator='b/lib white:malloc.so.3' small
prints ' white:malloc '

found=0
for library in /usr/lib/*/libjemalloc.so.2 /usr/lib/*/libmimalloc.so.2 /usr/lib/*/libtcmalloc_minimal.so.4; do
    [ -f "$library" ] || continue
    found=$((found + 1))
    gives 0 compare --runs=1 --allocator="$library" long
    awk '$NF == 0 || $0 ~ /malloc/ { if ($1 ~ /malloc/ && $8 ~ /^[1-9]/) resident = 1 } END { exit !resident }' output ||
        fail "no resident memory: $(cat output)"
done
echo "$found other mallocs are here"

# --- Heaps that do wrong ------------------------------------------------------------

# is_told WHAT PATTERN: one line says it.
is_told() {
    quiet
    [ "$(grep -c '^small, bad: ' output)" = 1 ] || fail "$1: not one line: $(cat output)"
    prints "^small, bad: $2"
    prints '^  *glibc .* 0 ' # the others go on
    prints '^small  *libdefrag .* 0  *0$'
}

# wrong WHAT PATTERN: exit status 1, and that line.
wrong() {
    module bad.so -DWRONG="$1" "$top_srcdir/tests/compare/bad.c"
    gives 1 compare --runs=1 --pool=5504 --allocator=./bad.so --allocator=glibc small
    is_told "$1" "$2"
}

# The time that those who hang are given is long enough for all the others on a busy machine. It passes meanwhile.
mkdir hanging
cp small hanging
cd hanging
module hang.so -DWRONG=HANG "$top_srcdir/tests/compare/bad.c"
module hang_loading.so -DWRONG=HANG_LOADING "$top_srcdir/tests/compare/bad.c"
(gives 1 compare --runs=1 --timeout=20 --pool=5504 --allocator=./hang.so --allocator=glibc small
    is_told HANG 'gave no answer within 20 s, in line 4, allocating') &
hanging=$!
mkdir loading
cd loading
(refuses 'hang_loading.so: gave no answer within 20 s, while being loaded' \
    compare --timeout=20 --allocator=../hang_loading.so ../small) &
loading=$!
at_end="kill $hanging $loading"
cd ../..

wrong OVERLAP 'returned a block that overlaps another in line 4 (pool of 5,504 bytes)\.'
wrong MISALIGN 'returned a misaligned block in line 4 '
wrong BELOW 'returned a block that is not inside its pool in line 4 '
wrong ABOVE 'returned a block that is not inside its pool in line 4 '
wrong ASTRIDE 'returned a block that is not inside its pool in line 4 '
wrong CRASH 'crashed in line 4, allocating (Segmentation fault)'
wrong CRASH_INIT 'crashed while making a heap (Segmentation fault)'
wrong ABORT 'crashed in line 4, allocating (Aborted)'
wrong EXIT 'ended the program in line 4, allocating (status 0)'
wrong SCRIBBLE 'damaged the contents of a block in line 6 '
wrong SCRIBBLE_OUTSIDE 'wrote outside its pool, as was seen at the end '
wrong FORGET 'damaged the contents of a block in line 8 '
wrong TINY 'makes no heap of 5,504 bytes\.'
wrong REFUSE 'the first failure is in line 2; [0-9]* later operations were skipped\.'
module bad.so -DWRONG=RUDE_NAME "$top_srcdir/tests/compare/bad.c"
gives 0 compare --runs=1 --allocator=./bad.so small
! grep -q "$(printf '\033')" output || fail "a plugin's name reaches the terminal as it is"
gives 0 compare --runs=1 --json --allocator=./bad.so small
module bad.so -DWRONG=CRASH_LOADING "$top_srcdir/tests/compare/bad.c"
refuses '\./bad.so: crashed while being loaded (Aborted)' compare --allocator=./bad.so small

# wrong_malloc WHAT PATTERN
wrong_malloc() {
    module libworse.so -DWRONG="$1" "$top_srcdir/tests/compare/bad_malloc.c"
    gives 1 compare --runs=1 --allocator=./libworse.so small
    quiet
    prints "^small, worse: $2"
    prints '^small  *libdefrag .* 0  *0$'
}

wrong_malloc OVERLAP 'damaged the contents of a block in line '
wrong_malloc MISALIGN 'returned a misaligned block in line 4\.'
wrong_malloc CRASH 'crashed in line 4, allocating (Aborted)\.'
wrong_malloc REFUSE 'the first failure is in line 4; 1 later operations were skipped\.'
module bad.so -DWRONG=CRASH_ALWAYS "$top_srcdir/tests/compare/bad_malloc.c"
refuses '\./bad.so: ' compare --allocator=./bad.so small

# --- Bad input ------------------------------------------------------------------------

printf 'int x;\n' >nothing.c
module nothing.so nothing.c
printf 'const char *defrag_plugin_name(void) { return "half"; }\n' >half.c
module half.so half.c
printf 'int lacking(void);\nint x(void) { return lacking(); }\n' >lacking.c
module lacking.so lacking.c
printf 'no shared object\n' >text.so
head -c 3000 plugin.so >cut.so
: >void.so
refuses 'nowhere.so: No such file' compare --allocator=./nowhere.so small
refuses '\.: Is a directory' compare --allocator=. small
refuses '/dev/null: is no file' compare --allocator=/dev/null small
refuses ': No such file' compare --allocator= small
refuses 'nothing.so: it is no plugin: it has no defrag_plugin_name()' compare --allocator=nothing.so small
refuses 'half.so: it is no plugin: it has no defrag_plugin_init()' compare --allocator=half.so small
for file in text.so void.so lacking.so; do
    refuses "$file: cannot be loaded: " compare --allocator="$file" small
done
refuses 'cut.so: ' compare --allocator=cut.so small # the loader may die of it
if [ "$(id -u)" != 0 ]; then
    cp plugin.so secret.so
    chmod 0 secret.so
    refuses 'secret.so: Permission denied' compare --allocator=secret.so small
fi
refuses 'no trace was named' compare
refuses 'nowhere: No such file' compare small nowhere
refuses 'big: too big.*--layout=wide' compare small big
refuses '--pool' compare --pool=abc small
refuses '--pool=524288 is more than' compare --pool=512K small
refuses 'unknown policy' compare --policy=slide small
for number in 0 -1 abc '' 1001; do
    refuses '--runs' compare --runs="$number" small
done
for number in 0 -1 abc '' 86401; do
    refuses '--timeout' compare --timeout="$number" small
done
gives 2 compare --lock-fraction=5 small
gives 1 compare --runs=1 --pool=100 small
prints '^small, libdefrag: makes no heap of 100 bytes'
refuses 'is what compare itself starts' compare-worker
refuses 'is what compare itself starts' compare-worker 0 1 2
refuses 'is what compare itself starts' compare-worker 77 78 79

# --- Whatever files are open here already ------------------------------------------------

sound() {
    prints '^small  *libdefrag .* 0  *0$'
    ! grep -q ': crashed\|: ended' output || fail "with other files open: $(cat output)"
}
for closed in '<&-' '<&- 2>&-' '2>&-'; do
    eval '"$bench" compare --runs=1 --allocator=./plugin.so small >output' "$closed" || fail "with $closed: $(cat output)"
    sound
done
if command -v bash >/dev/null; then
    for last in 57 58 59 60 61; do
        bash -c 'for ((file = 3; file <= $1; file++)); do eval "exec $file</dev/null"; done; shift; exec "$@"' - $last \
            "$bench" compare --runs=1 --allocator=./plugin.so small >output 2>said || fail "$last files: $(cat output said)"
        sound
    done
fi

# --- Output that cannot be written, a run that is interrupted ----------------------------

for arguments in 'compare --runs=1 small' 'compare --runs=1 --json small'; do
    status=0
    "$bench" $arguments >/dev/full 2>said || status=$?
    [ "$status" = 2 ] || fail "defrag-bench $arguments to a full disk: status $status"
    grep -q 'cannot write the result: No space left' said || fail "full disk: said $(cat said)"
done
to_nobody "$bench" compare --runs=1 small
[ "$status" = 2 ] || fail "a closed pipe: status $status"
[ "$(wc -l <said)" = 1 ] || fail "a closed pipe: said $(cat said)"

module bad.so -DWRONG=HANG "$top_srcdir/tests/compare/bad.c"
for signal in TERM HUP; do
    # It comes to the worker, too, as from a terminal; and is not ignored, whoever runs the tests.
    rm -f hangs
    env --default-signal=$signal timeout --preserve-status $patience \
        "$bench" compare --allocator=./bad.so --timeout=$patience small >output 2>said &
    at_end="kill $!"
    until_true $! [ -e hangs ]
    kill -s $signal $!
    status=0
    wait $! || status=$?
    [ "$status" -gt 128 ] || fail "interrupted by $signal: status $status"
    [ ! -s output ] || fail "interrupted by $signal: printed $(cat output)"
    [ "$(wc -l <said)" = 1 ] && grep -q '^defrag-bench: interrupted: ' said || fail "interrupted: said $(cat said)"
done

for job in $hanging $loading; do
    wait $job || fail "one that hangs: see above"
done
