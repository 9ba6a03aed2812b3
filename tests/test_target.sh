# SPDX-License-Identifier: MIT
# make check of a cross build, in QEMU: the unit tests, the fuzz targets over their
# committed inputs, and the images of pools compared with this machine's. All of it
# on a Cortex-M3 and as code of a Cortex-M0+, with a machine of 16 KiB besides; on
# the others a part that differs most between compilers. `--all`, as ./dev target has it: all
# of it on all, and unit tests on Linux for machines of the other byte order, of
# which sparc64 takes no unaligned address; CPUs named after that are the only ones.
. "${top_srcdir:?}/tests/package.sh"
whole=
if [ "${1-}" = --all ]; then
    whole=yes
    shift
fi
chosen=$*
for tool in arm-none-eabi-gcc:gcc-arm-none-eabi riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf \
    qemu-system-arm:qemu-system-arm qemu-system-riscv32:qemu-system-misc; do
    command -v "${tool%:*}" >/dev/null || skip "no ${tool%:*} here; on Debian: apt-get install ${tool#*:}"
done
host_cc=$CC
unset CC CFLAGS CPPFLAGS LDFLAGS LIBS NM BUILD SEED
fresh_sources
HOST_IMAGES=$scratch/images
export HOST_IMAGES
HOST_CC=$host_cc sh "$top_srcdir/tests/target/images.sh" --host "$HOST_IMAGES"

# The count that the log of a test suite gives for PASS, FAIL, ...
count() {
    sed -n "s/^# $1: *//p" test-suite.log
}

# on_target LEAST CPU HOST CFLAGS [TEST...]: at least so many cases pass, and none is skipped.
on_target() {
    least=$1 cpu=$2 host=$3 flags=$4
    shift 4
    case " $chosen " in
    *" $cpu "* | '  ') ;;
    *) return 0 ;;
    esac
    [ -z "$whole" ] || { least=900; set --; }
    configured "$cpu" --host=$host CFLAGS="$flags" || {
        tail -n 20 "$scratch/$cpu/output" >&2
        fail "configure --host=$host CFLAGS=$flags"
    }
    cd "$scratch/$cpu"
    grep -q 'unit tests  *under QEMU' output || fail "$cpu: configure finds no way to run the tests"
    "$MAKE" ${whole:+-j"$(getconf _NPROCESSORS_ONLN)"} check DEFRAG_TEST_EFFORT=1 \
        ${1:+"TESTS=tests/target/images.sh $*"} ${1:+"check_PROGRAMS=tests/images $*"} ${1:+check_LIBRARIES=} >check.log 2>&1 || {
        grep -E 'error:|^(FAIL|ERROR)' check.log >&2 || tail -n 40 check.log >&2
        [ ! -f tests/target/images.log ] || cat tests/target/images.log >&2
        fail "$cpu: make check"
    }
    [ "$(count PASS)" -ge "$least" ] || fail "$cpu: only $(count PASS) tests ran"
    [ "$(count SKIP)" -eq 0 ] || fail "$cpu: $(count SKIP) tests were skipped"
    for test in tests/target/images.sh ${1-fuzz/replay_calls fuzz/replay_image}; do
        grep -q "^PASS: $test" check.log || fail "$cpu: $test did not run"
    done
    echo "$cpu: $(count PASS) passed"
    sed 's/^/  /' tests/target/images.log | grep equal
    cd "$scratch"
    rm -rf "${scratch:?}/$cpu"
}

# on_linux CPU: big-endian and with an operating system, compiled by clang, whose packages get along with
# those of every other compiler.
on_linux() {
    host=$1-linux-gnu
    case " ${chosen:-"$1"} " in
    *" $1 "*) ;;
    *) return 0 ;;
    esac
    for tool in clang qemu-"$1" $host-ar; do
        command -v "$tool" >/dev/null || fail "$1: no $tool here; ./dev target installs what is needed"
    done
    clang --target=$host -c "$top_srcdir/tests/target/cmocka.c" -o "$scratch/cmocka.o"
    configured "$1" --host=$host --disable-shared CC="clang --target=$host" \
        CMOCKA_CFLAGS="-I$top_srcdir/tests/target" CMOCKA_LIBS="$scratch/cmocka.o" || {
        tail -n 20 "$scratch/$1/output" >&2
        fail "configure --host=$host"
    }
    cd "$scratch/$1"
    tests=$(printf 'tests/test_%s ' check damage hooks place_low placement random resize scramble status)
    "$MAKE" -j"$(getconf _NPROCESSORS_ONLN)" check DEFRAG_TEST_EFFORT=1 check_PROGRAMS="$tests" TESTS="$tests" \
        LOG_COMPILER="qemu-$1" LOG_FLAGS="-L /usr/$host" >check.log 2>&1 || {
        grep -E 'error:|^(FAIL|ERROR)' check.log >&2 || tail -n 40 check.log >&2
        fail "$1: make check"
    }
    [ "$(count PASS)" -ge 900 ] || fail "$1: only $(count PASS) tests ran"
    echo "$1: $(count PASS) passed"
    cd "$scratch"
    rm -rf "${scratch:?}/$1"
}

few='tests/test_status tests/test_placement'
on_target 900 cortex-m3 arm-none-eabi "-mcpu=cortex-m3 -mthumb -O2"
on_target 900 cortex-m0plus arm-none-eabi "-mcpu=cortex-m0plus -mthumb -Os"
on_target 1 cortex-m4 arm-none-eabi "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -O2" ' '
on_target 500 cortex-m33 arm-none-eabi "-mcpu=cortex-m33 -mthumb -Os" $few
on_target 500 rv32 riscv64-unknown-elf "-march=rv32imac -mabi=ilp32 -Os" $few
on_target 1 default arm-none-eabi "-O2" ' '
[ -z "$whole" ] || on_linux s390x
[ -z "$whole" ] || on_linux sparc64
