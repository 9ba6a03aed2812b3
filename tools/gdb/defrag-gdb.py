# SPDX-License-Identifier: MIT
"""Pools of libdefrag in GDB, live: on a workstation, on a device behind a probe, in a core file.

    (gdb) source .../share/libdefrag/defrag-gdb.py
    (gdb) info defrag POOL                       all that `defrag-bench inspect` tells, with addresses
    (gdb) defrag walk POOL                       every block
    (gdb) defrag handle POOL HANDLE              where a handle's block is now
    (gdb) print *(struct message *)$defrag_address(POOL, HANDLE)

POOL is a `defrag_pool *`, or the buffer that holds one; HANDLE a `defrag_handle`, or its bits. The program
need not be stopped in order: the pool's bytes are read, nothing in them is trusted, and nothing is called or
written in the program. Who knows the bits is defrag-bench: $DEFRAG_BENCH, or in ../../bin from here, or in PATH.
"""

import json
import os
import shutil
import subprocess
import tempfile

import gdb

HEAD_BYTES = 2048  # tells a pool's length
GRANULE_MAX = 16
CHUNK = 64  # what may lie behind the end of a device's memory


def bench():
    """The program that reads images."""
    named = os.environ.get("DEFRAG_BENCH")
    if named:
        return named
    here = os.path.dirname(os.path.abspath(globals().get("__file__", ".")))
    beside = os.path.join(here, "..", "..", "bin", "defrag-bench")
    found = beside if os.access(beside, os.X_OK) else shutil.which("defrag-bench")
    if not found:
        raise gdb.GdbError("defrag-bench is neither in PATH nor where DEFRAG_BENCH says")
    return found


def run(arguments, image):
    """What defrag-bench inspect prints of these bytes."""
    with tempfile.NamedTemporaryFile(prefix="defrag-gdb.") as file:
        file.write(image)
        file.flush()
        try:
            ended = subprocess.run([bench(), "inspect", *arguments, file.name], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise gdb.GdbError(f"{bench()}: {error.strerror}") from None
        if ended.stderr or ended.returncode not in (0, 1):
            said = ended.stderr.strip() or f"defrag-bench ended with status {ended.returncode}"
            raise gdb.GdbError(said.replace("defrag-bench: ", "").replace(f"{file.name}: ", ""))
        return ended.stdout.replace(file.name, "memory")


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError:
        raise gdb.GdbError(f"cannot read {size} bytes at {address:#x}") from None


def read_head(address):
    """The first bytes of a pool that may end just before memory does."""
    head = b""
    while len(head) < HEAD_BYTES:
        try:
            head += read(address + len(head), CHUNK)
        except gdb.GdbError:
            if not head:
                raise
            break
    return head


def evaluate(text):
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from None


def address_of(value):
    """Of a pool, given by a pointer or by its buffer."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR or kind.code == gdb.TYPE_CODE_INT:
        address = int(value)
    elif value.address is not None:
        address = int(value.address)
    else:
        raise gdb.GdbError(f"a pool is a pointer or a buffer, not a {value.type}")
    if address == 0:
        raise gdb.GdbError("the pool is a null pointer")
    return address & (1 << 8 * gdb.lookup_type("char").pointer().sizeof) - 1


def bits_of(value):
    """Of a handle."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT:
        try:
            value = value["bits"]
        except gdb.error:
            raise gdb.GdbError(f"a handle is a defrag_handle or its bits, not a {value.type}") from None
    return int(value) & 0xFFFFFFFF


class Pool:
    """The bytes of a pool, as they are now."""

    def __init__(self, value):
        self.address = address_of(value)
        skipped, length = map(int, run(["--length"], read_head(self.address)).split())
        self.address += skipped
        self.image = read(self.address, length)

    def tell(self, *arguments):
        return run([f"--address={self.address:#x}", *arguments], self.image)

    def report(self):
        return json.loads(self.tell("--json"))

    def find(self, bits):
        """The block of a handle, with the address of its payload."""
        for block in self.report()["blocks"]:
            if "handle" in block and int(block["handle"], 16) == bits:
                return block, self.address + block["payload_offset"]
        raise gdb.GdbError(f"the handle {bits:#010x} is stale: it names no block of the pool at {self.address:#x}")


def lock_text(block):
    if block["exclusive"]:
        return ", locked exclusively"
    shared = block["shared_locks"]
    return f", {shared} shared lock{'s' * (shared > 1)}" if shared else ""


def block_text(pool, block):
    text = f"{pool.address + block['offset']:#x} {block['bytes']:>8} {block['kind']}"
    if "handle" in block:
        text += f" {block['handle']}, payload at {pool.address + block['payload_offset']:#x}{lock_text(block)}"
    elif "slot" in block:
        text += f", of slot {block['slot']}, which disagrees"
    return text + "\n"


def words(text, count, usage):
    """The arguments of a command, as values; of several, those with blanks in them stand in quotes."""
    found = gdb.string_to_argv(text) if count > 1 else [text] * bool(text.strip())
    if len(found) != count:
        raise gdb.GdbError(f"usage: {usage}")
    return [evaluate(word) for word in found]


class InfoDefrag(gdb.Command):
    """What a pool of libdefrag holds: info defrag POOL"""

    def __init__(self):
        super().__init__("info defrag", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        (value,) = words(argument, 1, "info defrag POOL")
        gdb.write(Pool(value).tell())


class Defrag(gdb.Command):
    """Pools of libdefrag."""

    def __init__(self):
        super().__init__("defrag", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Walk(gdb.Command):
    """Every block of a pool, in address order: defrag walk POOL"""

    def __init__(self):
        super().__init__("defrag walk", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        (value,) = words(argument, 1, "defrag walk POOL")
        pool = Pool(value)
        report = pool.report()
        for block in report["blocks"]:
            gdb.write(block_text(pool, block))
        if not report["sound"]:
            gdb.write(f"DAMAGED at {pool.address + report['fault']['offset']:#x}: {report['fault']['text']}.\n")


class Handle(gdb.Command):
    """Where the block of a handle is now: defrag handle POOL HANDLE"""

    def __init__(self):
        super().__init__("defrag handle", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        value, handle = words(argument, 2, "defrag handle POOL HANDLE")
        block, address = Pool(value).find(bits_of(handle))
        gdb.write(f"{address:#x}, {block['payload_bytes']} bytes{lock_text(block)}\n")


class Address(gdb.Function):
    """The address of a handle's bytes as they lie now: $defrag_address(POOL, HANDLE)"""

    def __init__(self):
        super().__init__("defrag_address")

    def invoke(self, pool, handle):
        _block, address = Pool(pool).find(bits_of(handle))
        return gdb.Value(address).cast(gdb.lookup_type("char").pointer())


InfoDefrag()
Defrag()
Walk()
Handle()
Address()
