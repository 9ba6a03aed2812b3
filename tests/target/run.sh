# SPDX-License-Identifier: MIT
# run.sh IMAGE [WORD...]: runs a test program built for a target under QEMU.
# The words and the variables that tests look at become its command line.
set -u
image=$1
shift
[ -n "${QEMU-}" ] || {
    echo '1..0 # SKIP no QEMU for this target; on Debian: apt-get install qemu-system-arm qemu-system-misc'
    exit 77
}

arguments=arg=$image
add() {
    case $1 in
    *[\ ,]*)
        echo "run.sh: a blank or comma in '$1' cannot reach the target" >&2
        exit 99
        ;;
    esac
    arguments=$arguments,arg=$1
}
case ${image##*/} in
replay_*)
    name=${image##*/replay_}
    find "${top_srcdir:?}/fuzz/corpus/$name" "$top_srcdir/fuzz/regressions/$name" -type f ! -name '.*' |
        LC_ALL=C sort >"$image.list"
    add "$image.list"
    ;;
esac
for word in "$@" "top_srcdir=${top_srcdir-.}" "DEFRAG_TEST_EFFORT=${DEFRAG_TEST_EFFORT-5}" \
    ${BUILD:+"BUILD=$BUILD"} ${SEED:+"SEED=$SEED"}; do
    add "$word"
done

# Some machines have a sound card, which QEMU would look for here; RISC-V has a firmware of its own.
QEMU_AUDIO_DRV=none
export QEMU_AUDIO_DRV
case $QEMU in
*riscv*) QEMU_FLAGS="${QEMU_FLAGS-} -bios none" ;;
esac

# A target that hangs would not end by itself.
exec timeout "${TARGET_TIMEOUT-6000}" "$QEMU" -M "${QEMU_MACHINE:?}" ${QEMU_FLAGS-} -display none -serial none -monitor none -chardev stdio,id=console \
    -semihosting-config "enable=on,target=native,chardev=console,$arguments" -kernel "$image" </dev/null
