#!/bin/sh
# SPDX-License-Identifier: MIT
# The gate of coverage.py: the unit tests reach every line and every branch of lib/.
set -u
src=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
for tool in python3 clang llvm-cov llvm-profdata; do
    command -v $tool >/dev/null 2>&1 || {
        echo "SKIPPED: coverage needs $tool, and there is none (apt-get install clang llvm python3)"
        exit 77
    }
done
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
"$src/tests/coverage.py" --output "$dir/coverage" --jobs 1
