# SPDX-License-Identifier: BSD-3-Clause
"""Frames and buffers of a memif client at every limit, one byte this side of it and one beyond. Usage:

    frames.py SOCKET VALE-CTL [OPTIONS]

What the switch refuses it must have counted, by the right reason and no other; who offers it a buffer that is none is
parted from and told why. The ports are on a switch of their own, valef. Prints `ok TEXT` for each, and fails at the
first that is otherwise.
"""
import errno
import json
import os
import struct
import subprocess
import sys
import time

from memif_client import ACK, RING_SZ, SIZE, Client, Refused

NEXT = 1
S2C = RING_SZ
BUFS = 1 << 16
FRAME = b"\xff" * 6 + bytes.fromhex("020000000001") + b"\x88\xb5" + bytes(i % 251 for i in range(9300))

# a frame is a list of pieces: (length, offset[, region])
BAD = [
    ("in no region", [(60, BUFS, 1)]),
    ("in a region beyond all", [(60, BUFS, 64)]),
    ("in the last region there could be", [(60, BUFS, 65535)]),
    ("one byte beyond the region", [(60, SIZE - 59)]),
    ("right behind the region", [(60, SIZE)]),
    ("at 2^32 - 1", [(60, 2**32 - 1)]),
    ("that ends at 2^32", [(60, 2**32 - 60)]),
    ("that ends at 2^32 + 2^31", [(60, 2**31), (2**32 - 1, 2**31)]),
    ("of 2^32 - 1 bytes", [(2**32 - 1, 0)]),
    ("whose second piece lies beyond", [(60, BUFS), (60, SIZE - 59)]),
    ("whose first piece lies beyond", [(60, SIZE - 59), (60, BUFS)]),
    ("whose empty piece lies in no region", [(60, BUFS), (0, BUFS, 1)]),
]
TOO_LONG = [
    ("of 9,217 bytes", [(9217, BUFS)]),
    ("as long as the region", [(SIZE, 0)]),
    ("of 9,217 bytes in two pieces", [(9216, BUFS), (1, BUFS)]),
    ("of 32 pieces of 1 MB", [(SIZE, 0)] * 32),
]
RUNT = [
    ("of no bytes", [(0, BUFS)]),
    ("of 13 bytes", [(13, BUFS)]),
    ("of 13 bytes in two pieces", [(7, BUFS), (6, BUFS + 7)]),
    ("of two empty pieces", [(0, BUFS), (0, BUFS)]),
]
GOOD = [
    ("of 14 bytes", [(14, BUFS)]),
    ("of 9,216 bytes", [(9216, BUFS)]),
    ("that ends where the region does", [(60, SIZE - 60)]),
    ("of 9,216 bytes in two pieces", [(9215, BUFS), (1, BUFS)]),
    ("of 14 bytes in 14 pieces", [(1, BUFS + i) for i in range(14)]),
    ("with an empty piece in it", [(7, BUFS), (0, SIZE), (53, BUFS + 7)]),
]
# buffers for the switch to write to: (length, offset[, region])
NO_BUFFER = [
    ("in no region", (2048, BUFS, 1)),
    ("in a region beyond all", (2048, BUFS, 64)),
    ("one byte beyond the region", (2048, SIZE - 2047)),
    ("right behind the region", (2048, SIZE)),
    ("at 2^32 - 1", (2048, 2**32 - 1)),
    ("that ends at 2^32", (2048, 2**32 - 2048)),
    ("of 2^32 - 1 bytes", (2**32 - 1, 0)),
    ("of no bytes", (0, BUFS)),
]


class Port(Client):
    def open(self, nb_buffers=0):
        """Connected, with so many good buffers for the switch; FRAME lies at BUFS and at the region's end."""
        self.head = {0: 0, S2C: 0}
        self.map[BUFS:BUFS + len(FRAME)] = FRAME
        self.map[SIZE - 60:SIZE] = FRAME[:60]
        for _ in range(nb_buffers):
            self.desc(S2C, (2048, 2 * BUFS))
        self.advance(S2C, wake=False)
        self.up()
        return self

    def desc(self, ring, piece, flags=0):
        length, offset, region = (*piece, 0)[:3]
        at = ring + 128 + 16 * (self.head[ring] % 64)
        self.map[at:at + 16] = struct.pack("=HHIII", flags, region, length, offset, 0)
        self.head[ring] += 1

    def advance(self, ring, wake=True):
        self.map[ring + 6:ring + 8] = struct.pack("=H", self.head[ring] % 65536)
        if wake:
            os.eventfd_write(self.event, 1)

    def tail(self, ring):
        return struct.unpack("=H", self.map[ring + 64:ring + 66])[0]

    def frame(self, pieces, end=True):
        for i, piece in enumerate(pieces):
            self.desc(0, piece, NEXT if i + 1 < len(pieces) or not end else 0)
        self.advance(0)
        if not until(lambda: self.tail(0) == self.head[0] % 65536):
            sys.exit("the switch does not take a frame")

    def count(self):
        out = subprocess.run([*sys.argv[2:], "-j", "show", self.name], capture_output=True, text=True, check=True)
        port = json.loads(out.stdout)
        return {"rx": port["rx_packets"], **{k: v for k, v in port["drops"].items() if v}}


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def refused_frames(port, reason, frames):
    """Each frame is one more rx, and one more drop for the reason."""
    for text, pieces in frames:
        want = port.count()
        want["rx"] += 1
        want[reason] = want.get(reason, 0) + 1
        port.frame(pieces)
        if not until(lambda: port.count() == want, 10):
            sys.exit(f"a frame {text}: {port.count()} instead of {want}")
        print(f"ok {reason}: a frame {text}")


def endless_frame(port):
    want = port.count()
    want["rx"] += 1
    want["bad_desc"] = want.get("bad_desc", 0) + 1
    port.frame([(60, BUFS)] * 64, end=False)
    if not until(lambda: port.count() == want, 10):
        sys.exit(f"a frame without end: {port.count()} instead of {want}")
    print("ok bad_desc: a frame without end, all round the ring")


def parted(text, port, words):
    try:
        port.hear(ACK)
    except Refused as r:
        if r.args[0] != errno.EFAULT or words not in r.args[1]:
            sys.exit(f"{text}: parted for {r.args}")
        print(f"ok parted: {text}")
        port.close()
        return
    sys.exit(f"{text}: not parted")


def bad_buffers(sender):
    for text, piece in NO_BUFFER:
        port = Port("valef:b").open()
        port.desc(S2C, piece)
        port.advance(S2C)
        sender.frame([(60, BUFS)])
        parted(f"a buffer {text}", port, "offers no buffer")
        port = Port("valef:b").open()
        port.desc(S2C, (1024, BUFS))
        port.desc(S2C, piece)
        port.advance(S2C)
        sender.frame([(2000, BUFS)])
        parted(f"a second buffer {text}", port, "offers no buffer")


def heads_beyond(sender):
    port = Port("valef:b").open()
    port.head[S2C] = 65
    port.advance(S2C)
    sender.frame([(60, BUFS)])
    parted("an S2C head beyond the ring", port, "head is further")
    port = Port("valef:b").open()
    port.head[0] = 65
    port.advance(0)
    parted("a C2S head beyond the ring", port, "head is further")


def whole_ring(sender):
    """A frame that fills a ring, one that no ring could hold, and one without buffers."""
    port = Port("valef:b").open()
    for i in range(64):
        port.desc(S2C, (144, 2 * BUFS + 144 * i))
    port.advance(S2C)
    want = sender.count()
    sender.frame([(9216, BUFS)])
    if not until(lambda: port.tail(S2C) == 64):
        sys.exit(f"9216 bytes in 64 buffers: {port.tail(S2C)} used")
    if port.map[2 * BUFS:2 * BUFS + 9216] != FRAME[:9216]:
        sys.exit("9216 bytes in 64 buffers: damaged")
    print("ok a frame that fills all buffers of a ring")
    before = port.count().get("dst_full", 0)
    sender.frame([(60, BUFS)])
    if not until(lambda: port.count().get("dst_full", 0) == before + 1, 10):
        sys.exit(f"no buffers: {port.count()}")
    print("ok dst_full: without a buffer")
    want["rx"] += 3
    want["too_long"] = want.get("too_long", 0) + 1
    for i in range(64):
        port.desc(S2C, (143, 2 * BUFS + 143 * i))
    port.advance(S2C)
    sender.frame([(9216, BUFS)])
    if not until(lambda: sender.count() == want, 10):
        sys.exit(f"longer than all buffers: {sender.count()} instead of {want}")
    print("ok too_long: a frame longer than all buffers of a ring")
    port.close()


def scattered(sender):
    """Pieces that do not lie one behind the other, into one buffer."""
    port = Port("valef:b").open()
    port.desc(S2C, (2048, 2 * BUFS))
    port.advance(S2C)
    sender.frame([(100, BUFS), (60, BUFS + 500)])
    if not until(lambda: port.tail(S2C) == 1):
        sys.exit("pieces: not delivered")
    if port.map[2 * BUFS:2 * BUFS + 160] != FRAME[:100] + FRAME[500:560]:
        sys.exit("pieces: damaged")
    print("ok pieces from here and there in one buffer")
    port.close()


def full_eventfd(sender):
    """A counter at its end blocks who writes it; the switch has to ring all the same."""
    full = os.eventfd(0)
    os.eventfd_write(full, 2**64 - 2)
    port = Port("valef:b")
    port.head = {0: 0, S2C: 0}
    for _ in range(40):
        port.desc(S2C, (2048, 2 * BUFS))
    port.advance(S2C, wake=False)
    port.init()
    port.region()
    port.ring(True)
    port.ring(False, fds=[full])
    port.cookies()
    port.connect()
    port.map[S2C + 4:S2C + 6] = bytes(2)
    for _ in range(40):
        sender.frame([(60, BUFS)])
    if not until(lambda: port.tail(S2C) == 40):
        sys.exit(f"full eventfd: {port.tail(S2C)} frames of 40")
    print("ok a full eventfd holds nobody up")
    port.close()


def main():
    sender = Port("valef:a").open()
    for reason, frames in (("bad_desc", BAD), ("too_long", TOO_LONG), ("runt", RUNT), ("no_dst", GOOD)):
        refused_frames(sender, reason, frames)
    endless_frame(sender)
    bad_buffers(sender)
    heads_beyond(sender)
    whole_ring(sender)
    scattered(sender)
    full_eventfd(sender)


main()
