# SPDX-License-Identifier: BSD-3-Clause
"""A memif client that gets one thing wrong at a time. Usage: refusals.py SOCKET

For each case a connection of its own is made; what the switch says in its DISCONNECT must have the words expected, with
the errno as code. Prints `ok TEXT` for each, and fails at the first that is otherwise.
"""
import errno
import os
import struct
import sys

from dead_fuse import DeadFile
from memif_client import ACK, ADD_REGION, CONNECT, CONNECTED, COOKIE, INIT, RING_SZ, SIZE, Client, Refused


def ready(c):
    c.init()
    c.region()


def skip_region(c):
    c.init()
    c.ring(True)


def no_rings(c):
    ready(c)
    c.connect()


def one_ring(c):
    ready(c)
    c.ring(True)
    c.cookies()
    c.connect()


def gap_in_rings(c):
    ready(c)
    c.rings()
    c.ring(True, index=2)
    c.cookies()
    c.connect()


def no_cookie(c):
    ready(c)
    c.rings()
    c.cookies(COOKIE + 1)
    c.connect()


def ring_twice(c):
    ready(c)
    c.ring(True)
    c.ring(True)


def region_twice(c):
    ready(c)
    c.region()


def shrunk_before_connect(c):
    ready(c)
    c.rings()
    c.cookies()
    os.ftruncate(c.memory, 0)
    c.connect()


def shrunk(c):
    c.up()
    os.ftruncate(c.memory, 0)
    c.hear(ACK)


def shrunk_hugepages(c):
    c.use_hugepages()
    shrunk(c)


def head_beyond(c):
    c.up()
    c.map[6:8] = struct.pack("=H", 65)
    os.eventfd_write(c.event, 1)
    c.hear(ACK)


def unexpected(c, prepare, kind):
    prepare(c)
    c.send(kind)
    c.hear(ACK)


def with_ready(fn):
    def run(c):
        ready(c)
        fn(c)
    return run


def bad_size(c, pad):
    c.send(INIT, fds=[c.memory], pad=pad)
    c.hear(ACK)


def silence(c):
    c.hear(ACK)


def held_by_another(c):
    other = Client()
    other.up()
    try:
        c.init()
    finally:
        other.close()


def lost_the_race(c):
    ready(c)
    c.rings()
    c.cookies()
    other = Client()
    other.up()
    try:
        c.connect()
    finally:
        other.close()


def more_than_64_gb(c):
    size = 5 << 30
    memory = os.memfd_create("huge")
    os.ftruncate(memory, size)
    c.init()
    for i in range(13):
        c.region(index=i, size=size, fds=[memory])


def too_many(c):
    others = [Client() for _ in range(64)]
    try:
        c.hear(ACK)
    finally:
        for other in others:
            other.close()


def nobody_serves(c):
    """Neither a look at it nor its close may hold the switch up."""
    c.init()
    try:
        dead = DeadFile()
    except OSError as e:
        print(f"skipped: no FUSE here ({e.strerror}), a device instead")
        c.region(size=1, fds=[os.open("/dev/zero", os.O_RDWR)])
        return
    try:
        c.region(size=1, fds=[dead.fd])
    except Refused:
        other = Client()  # which is greeted meanwhile
        other.init()
        other.close()
        raise
    finally:
        dead.close()


# the first client is the oldest, which makes room; the second is silent while the other cases are tried
FIRST = ("64 others half-way", "EAGAIN", "too many clients", too_many)
LAST = ("silence", "ETIMEDOUT", "more than", silence)
CASES = [
    ("version", "EPROTO", "memif version 1.0", lambda c: c.init(version=0x0100)),
    ("mode", "EINVAL", "ethernet", lambda c: c.init(mode=1)),
    ("no secret", "EINVAL", "VALE name", lambda c: c.init(secret=b"")),
    ("no name", "ENXIO", "secret eth0", lambda c: c.init(secret=b"eth0")),
    ("no colon", "ENOMEM", "secret valea", lambda c: c.init(secret=b"valea")),
    ("long name", "EINVAL", "secret valea:", lambda c: c.init(secret=b"valea:0123456789")),
    ("secret without end", "ENOMEM", "secret valea:", lambda c: c.init(secret=b"valea:" + b"x" * 18)),
    ("interface", "EINVAL", "lo", lambda c: c.init(secret=b"valea:lo")),
    ("held", "EBUSY", "held by process", held_by_another),
    ("held at the end", "EBUSY", "held by process", lost_the_race),
    ("message before INIT", "EPROTO", "before INIT", lambda c: unexpected(c, lambda c: None, CONNECT)),
    ("message before CONNECT", "EPROTO", "before CONNECT", lambda c: unexpected(c, ready, CONNECTED)),
    ("INIT twice", "EPROTO", "before CONNECT", lambda c: unexpected(c, ready, INIT)),
    ("region once connected", "EPROTO", "once connected", lambda c: unexpected(c, Client.up, ADD_REGION)),
    ("message unknown", "EPROTO", "message 99", lambda c: unexpected(c, ready, 99)),
    ("short message", "EPROTO", "128 bytes", lambda c: bad_size(c, 100)),
    ("long message", "EPROTO", "128 bytes", lambda c: bad_size(c, 129)),
    ("region without descriptor", "EINVAL", "without a descriptor", lambda c: (c.init(), c.region(fds=()))),
    ("region index", "EINVAL", "limit spent", lambda c: (c.init(), c.region(index=64))),
    ("region twice", "EINVAL", "already", region_twice),
    ("region larger than its file", "EINVAL", "bytes, not", lambda c: (c.init(), c.region(size=SIZE + 1))),
    ("region of 2^64 - 1 bytes", "EINVAL", "bytes, not", lambda c: (c.init(), c.region(size=2**64 - 1))),
    ("region of no bytes", "EINVAL", "no bytes", lambda c: (c.init(), c.region(size=0))),
    ("regions of 65 GB", "ENOMEM", "limit spent, a client may share 64 GB", more_than_64_gb),
    ("region of a file", "EINVAL", "is no memory",
     lambda c: (c.init(), c.region(size=1, fds=[os.open(sys.executable, os.O_RDONLY)]))),
    ("region of a socket", "EINVAL", "is no memory", lambda c: (c.init(), c.region(size=1, fds=[c.sock.fileno()]))),
    ("region of a device", "EINVAL", "is no memory",
     lambda c: (c.init(), c.region(size=1, fds=[os.open("/dev/zero", os.O_RDWR)]))),
    ("region of a file that nobody serves", "EINVAL", "is no memory", nobody_serves),
    ("region read-only", "EACCES", "cannot map",
     lambda c: (c.init(), c.region(fds=[os.open(f"/proc/self/fd/{c.memory}", os.O_RDONLY)]))),
    ("ring without region", "EINVAL", "lie in a region", skip_region),
    ("ring without eventfd", "EINVAL", "without an eventfd", with_ready(lambda c: c.ring(True, fds=()))),
    ("ring with another descriptor", "EINVAL", "no eventfd", with_ready(lambda c: c.ring(False, fds=[c.memory]))),
    ("ring index", "EINVAL", "limit spent, 16 rings", with_ready(lambda c: c.ring(True, index=16))),
    ("ring size", "EINVAL", "limit spent, 16384", with_ready(lambda c: c.ring(True, log2=15))),
    ("ring size of 2^255", "EINVAL", "limit spent, 16384", with_ready(lambda c: c.ring(True, log2=255))),
    ("ring unaligned", "EINVAL", "multiple of 16", with_ready(lambda c: c.ring(True, offset=8))),
    ("ring beyond the region", "EINVAL", "lie in a region",
     with_ready(lambda c: c.ring(True, offset=SIZE - RING_SZ + 16))),
    ("ring far beyond", "EINVAL", "lie in a region", with_ready(lambda c: c.ring(True, offset=2**32 - 16))),
    ("ring in no region", "EINVAL", "lie in a region", with_ready(lambda c: c.ring(True, region=64))),
    ("ring with private header", "EINVAL", "private", with_ready(lambda c: c.ring(True, private=8))),
    ("ring twice", "EINVAL", "C2S ring 0: is there already", ring_twice),
    ("S2C ring twice", "EINVAL", "S2C ring 0: is there already", with_ready(lambda c: (c.ring(False), c.ring(False)))),
    ("no rings", "EINVAL", "rings are missing", no_rings),
    ("one ring", "EINVAL", "rings are missing", one_ring),
    ("a gap in the rings", "EINVAL", "rings are missing", gap_in_rings),
    ("no cookie", "EINVAL", "cookie", no_cookie),
    ("region shrunk before connecting", "EINVAL", "cookie", shrunk_before_connect),
    ("region shrunk once connected", "EFAULT", "lost its memory", shrunk),
    ("region of hugepages shrunk", "EFAULT", "lost its memory", shrunk_hugepages),
    ("head beyond the ring", "EFAULT", "head is further", head_beyond),
]


def try_one(c, text, code, words, fn):
    try:
        fn(c)
        sys.exit(f"{text}: not refused")
    except Refused as r:
        if errno.errorcode.get(r.args[0]) != code or words not in r.args[1]:
            sys.exit(f"{text}: refused with {errno.errorcode.get(r.args[0])}: {r.args[1]}")
    assert c.sock.recv(1) == b"", "the switch keeps the connection"
    c.close()
    print(f"ok {text}")


def main():
    hello = Client()
    fields = struct.unpack("=32sHHHHHB", hello.hello[:43])
    assert fields[0].startswith(b"vale-switch"), fields
    assert fields[1:] == (0x0200, 0x0200, 63, 15, 15, 14), fields
    hello.close()
    try_one(Client(), *FIRST)
    silent = Client()
    for case in CASES:
        try_one(Client(), *case)
    try_one(silent, *LAST)
    c = Client()
    c.init()
    c.region(fds=[c.memory] * 5)  # one is taken, the others must not stay open
    c.rings()
    c.cookies()
    name = c.connect()
    assert name.startswith(b"valea:r\0"), name
    print("ok and without anything wrong it is connected")


main()
