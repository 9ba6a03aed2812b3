# SPDX-License-Identifier: MIT
# The programs that count plans and pauses run and agree with each other. The benchmarks run, what they write is what fits.py and Google's compare.py read, and fits.py notices what grows
# faster than it may. Times are not judged.
. "${top_srcdir:?}/tests/package.sh"
cd "$scratch"

# --- Plans and pauses --------------------------------------------------------------

# counts PROGRAM ARGUMENT...: the four numbers that it prints, in the variables a to d.
counts() {
    "$top_builddir/bench/$@" >output 2>&1 || fail "$*: status $?: $(cat output)"
    grep -Eqx '[0-9]+ [0-9]+ [0-9]+ [0-9]+' output || fail "$* prints: $(cat output)"
    read -r a b c d <output
}

quietly "$MAKE" -s -C "$top_builddir" bench/planning bench/pauses
counts planning bimodal 90 1
plans="$a $b $c $d"
[ "$a" -gt 0 ] && [ "$b" -ge "$c" ] && [ "$c" -gt 0 ] && [ "$d" -gt 0 ] && [ "$d" -le "$a" ] ||
    fail "planning bimodal 90 1: $plans"
most=$c
counts planning bimodal 90 1 "$d"
[ "$a $b $c $d" = "$plans" ] || fail "planning of one: $a $b $c $d, of all: $plans"
counts pauses bimodal 90 1 0 0
[ "$a" -gt 0 ] && [ "$c" -gt 0 ] && [ "$c" -le "$most" ] || fail "pauses: $a $b $c $d, where plans are $plans"
quietly "$top_builddir/bench/pauses" bimodal 90 1 0 0 "$b"
counts pauses bimodal 90 1 1 1
for wrong in 'planning bimodal 90' 'planning none 90 1' 'pauses bimodal 90 1 0' 'pauses none 90 1 0 0'; do
    status=0
    "$top_builddir/bench/"$wrong >output 2>&1 || status=$?
    [ "$status" = 2 ] || fail "$wrong: status $status"
done

command -v python3 >/dev/null || skip "no python3 here"
fits=$top_srcdir/bench/fits.py

# --- The report -----------------------------------------------------------------

# result ORDER TIME...: a benchmark with the arguments 10, 100, 1000.
result() {
    order=$1
    shift
    echo '{"benchmarks": ['
    argument=10
    for time in "$@"; do
        echo "{\"name\": \"a/b/$argument\", \"run_type\": \"iteration\", \"cpu_time\": $time},"
        argument=${argument}0
    done
    echo "{\"name\": \"a/b_BigO\", \"run_type\": \"aggregate\", \"aggregate_name\": \"BigO\", \"big_o\": \"$order\","
    echo ' "cpu_coefficient": 3.5, "time_unit": "ns"},'
    echo '{"name": "a/b_RMS", "run_type": "aggregate", "aggregate_name": "RMS", "rms": 0.25}]}'
}

# judged STATUS PATTERN ARGUMENT...: what fits.py says of `file`.
judged() {
    wanted=$1 pattern=$2
    shift 2
    status=0
    "$fits" "$@" file >output 2>&1 || status=$?
    [ "$status" = "$wanted" ] || fail "fits.py: status $status, not $wanted: $(cat output file)"
    grep -q "$pattern" output || fail "fits.py says nothing like '$pattern' but: $(cat output)"
    ! grep -q Traceback output || fail "fits.py dies: $(cat output)"
}

result '(1)' 10 11 10 >file
judged 0 'a/b  *O(1)  *0.00  *3.50 ns  *25 %  as promised'
result '(1)' 10 100 1000 >file
judged 1 'a/b  *O(1)  *1.00 .* GROWS FASTER'
judged 0 '1 benchmarks, 3 runs' --shape
result N 10 100 1000 >file
judged 0 'a/b  *O(N)  *1.00 .* as promised'
result N 10 1000 100000 >file
judged 1 'a/b  *O(N)  *2.00 .* GROWS FASTER'
result N^2 10 100 1000 >file
judged 2 'unknown order N^2'
result N 10 >file
judged 2 'several arguments'
result N 10 100 | sed '/BigO/,/ns"}/d' >file
judged 2 'fits.py: file: '
sed 's/"cpu_time": [0-9]*/"error_occurred": true, "error_message": "no pool"/' file >file2
mv file2 file
judged 2 'no pool'
echo '{"benchmarks": []}' >file
judged 2 'not each benchmark has a fit'
for text in '' '{' '[]' '{}' '{"benchmarks": 1}' '{"benchmarks": [1]}'; do
    echo "$text" >file
    judged 2 'fits.py: file: '
done
rm file
judged 2 'No such file'

# --- The benchmarks ----------------------------------------------------------------

[ "${BENCHMARKS:-no}" = yes ] || skip "Google Benchmark or a C++ compiler was not found by configure"
quietly "$MAKE" -s -C "$top_builddir" bench/benchmarks
quietly "$top_builddir/bench/benchmarks" --benchmark_min_time=0.00001 --benchmark_out=file --benchmark_out_format=json
judged 0 '14 benchmarks, ' --shape
"$fits" file >output || [ $? = 1 ] || fail "fits.py does not read what was written: $(cat output)"
[ "$(grep -c ' O([1N]) ' output)" = 14 ] || fail "not a line for each: $(cat output)"
status=0
"$top_builddir/bench/benchmarks" --no-such-option >output 2>&1 || status=$?
[ "$status" = 2 ] || fail "an unknown option: status $status"
compare=/usr/share/benchmark/compare.py
for python in python3 /usr/bin/python3 none; do
    [ ! -f $compare ] || ! $python -c 'import scipy' 2>/dev/null || break
done
if [ $python != none ]; then
    quietly $python $compare benchmarks file file
else
    echo "NOTE: no compare.py of Google Benchmark here, or not what it needs; it is not tried"
fi
