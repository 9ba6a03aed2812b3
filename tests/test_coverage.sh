# SPDX-License-Identifier: MIT
# The gate of coverage.py: the unit tests reach every line and every branch of lib/.
. "${top_srcdir:?}/tests/package.sh"
for tool in python3 clang llvm-cov llvm-profdata; do
    command -v $tool >/dev/null || skip "no $tool here; on Debian: apt-get install clang libclang-rt-dev llvm python3"
done
echo 'int main(void) { return 0; }' >"$scratch/empty.c"
clang -fprofile-instr-generate -o "$scratch/empty" "$scratch/empty.c" 2>/dev/null ||
    skip "clang has no runtime for its counters here; on Debian: apt-get install libclang-rt-dev"
"$top_srcdir/tests/coverage.py" --output "$scratch/coverage" --jobs 1
