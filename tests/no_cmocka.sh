# SPDX-License-Identifier: MIT
# Stands for all unit tests where configure found no cmocka.
echo "SKIP: the unit tests, for want of cmocka; on Debian: apt-get install libcmocka-dev, then configure again" >&2
exit 77
