# SPDX-License-Identifier: MIT
# The unit tests, and the fuzz targets over their committed inputs, on a
# Cortex-M3 and with the code of a Cortex-M0+: make check of a cross build, in QEMU.
. "${top_srcdir:?}/tests/package.sh"
host=arm-none-eabi
command -v $host-gcc >/dev/null ||
    skip "no $host-gcc here; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
command -v qemu-system-arm >/dev/null ||
    skip "no qemu-system-arm here; on Debian: apt-get install qemu-system-arm"
unset CC CFLAGS CPPFLAGS LDFLAGS LIBS NM BUILD SEED
fresh_sources

# The count that the log of a test suite gives for PASS, FAIL, ...
count() {
    sed -n "s/^# $1: *//p" test-suite.log
}

# on_target NAME CFLAGS
on_target() {
    configured "$1" --host=$host CFLAGS="$2" || {
        tail -n 20 "$scratch/$1/output" >&2
        fail "configure --host=$host CFLAGS=$2"
    }
    cd "$scratch/$1"
    grep -q 'unit tests  *under QEMU' output || fail "$1: configure finds no way to run the tests"
    "$MAKE" check DEFRAG_TEST_EFFORT=1 >check.log 2>&1 || {
        grep -E 'error:|^(FAIL|ERROR)' check.log >&2 || tail -n 40 check.log >&2
        fail "$1: make check"
    }
    [ "$(count PASS)" -gt 600 ] || fail "$1: only $(count PASS) tests ran"
    [ "$(count SKIP)" -eq 0 ] || fail "$1: $(count SKIP) tests were skipped"
    for replay in calls image; do
        grep -q "^PASS: fuzz/replay_$replay " check.log || fail "$1: the corpus of $replay was not replayed"
    done
    echo "$1: $(count PASS) passed"
}

on_target cortex-m3 "-mcpu=cortex-m3 -mthumb -O2"
on_target cortex-m0plus "-mcpu=cortex-m0plus -mthumb -Os"
