# SPDX-License-Identifier: MIT
# A bare-metal host: configure, make and install with nothing but --host, and
# with a CPU chosen.
. "${top_srcdir:?}/tests/package.sh"
host=arm-none-eabi
command -v $host-gcc >/dev/null ||
    skip "no $host-gcc here; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
host_cc=$CC
unset CC CFLAGS CPPFLAGS LDFLAGS LIBS NM
fresh_sources

# cross NAME ARCHITECTURE [ARGUMENT...]
cross() {
    name=$1 architecture=$2
    prefix=$scratch/$name-prefix
    shift 2
    configured "$name" --host=$host --prefix="$prefix" "$@" || {
        tail -n 20 "$scratch/$name/output" >&2
        fail "configure --host=$host $*"
    }
    cd "$scratch/$name"
    quietly "$MAKE"
    quietly "$MAKE" install
    for file in include/defrag.h lib/libdefrag.a lib/pkgconfig/libdefrag.pc share/man/man3/libdefrag.3; do
        [ -f "$prefix/$file" ] || fail "$name: not installed: $file"
    done
    [ ! -e "$prefix/bin" ] || fail "$name: programs are installed"
    grep -qx layout=narrow "$prefix/lib/pkgconfig/libdefrag.pc" || fail "$name: the layout is not narrow"
    $host-objdump -f "$prefix/lib/libdefrag.a" >architectures
    grep -q "^architecture: $architecture," architectures || fail "$name: not built for $architecture"
    sh "$top_srcdir/tests/needs.sh" $host-nm "$prefix/lib/libdefrag.a" || fail "$name: not freestanding"
    ! grep -q nosys.specs Makefile || fail "$name: the lent linker flags stayed"
}

cross plain armv4t
grep -q 'No CPU was chosen' output || fail "the summary does not say how to choose a CPU"
cross cortex-m0plus armv6s-m CFLAGS="-mcpu=cortex-m0plus -mthumb -Os"
! grep -q 'No CPU was chosen' output || fail "the summary overlooks the CPU that was chosen"

# A program links with what pkg-config says and the flags of the target.
$host-gcc -mcpu=cortex-m0plus -mthumb -Os --specs=nosys.specs "$top_srcdir/tests/consumer.c" \
    $(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --cflags --libs libdefrag) -o program.elf \
    2>link.log || {
    cat link.log >&2
    fail "a program for Cortex-M0+ does not link"
}
$host-size -t "$prefix/lib/libdefrag.a"

# Where there is no QEMU the tests are skipped, and say so.
for test in "run.sh program" images.sh no_machine.sh; do
    status=0
    QEMU= NO_MACHINE='no such machine' sh "$top_srcdir/tests/target/"$test >said 2>&1 || status=$?
    [ "$status" = 77 ] || fail "$test without QEMU: status $status"
    grep -q 'SKIP.*\(apt-get install qemu\|configure for\)' said || fail "$test without QEMU says $(cat said)"
done

# Where pkg-config tells of a library that the linker does not find, as it does of this machine's in a build
# for another with an operating system, there is no such library; and no tools are built unasked.
configured other --build=x86_64-linux-gnu --host=x86_64-other-linux-gnu CC="$host_cc" \
    CMOCKA_CFLAGS= CMOCKA_LIBS=-lno_such_library || fail "configure --host=x86_64-other-linux-gnu"
grep -q 'unit tests  *NO: .*libcmocka-dev' "$scratch/other/output" || fail "cmocka of another machine is taken for the host's"
grep -q 'tools  *no$' "$scratch/other/output" || fail "a build for another machine has tools"
