# SPDX-License-Identifier: MIT
# Stands for the tests where QEMU has no machine for what was configured.
echo "SKIP: the tests cannot run: ${NO_MACHINE:?}; configure for a Cortex-M to run them: CFLAGS=-mcpu=cortex-m3" >&2
exit 77
