# SPDX-License-Identifier: BSD-3-Clause
"""A memif client that does exactly what it is told, right or wrong: one region of 1 MB with a C2S ring at 0 and an S2C
ring behind it, 64 descriptors each."""
import array
import mmap
import os
import socket
import struct
import sys

ACK, HELLO, INIT, ADD_REGION, ADD_RING, CONNECT, CONNECTED, DISCONNECT = range(1, 9)
COOKIE = 0x03E31F20
SIZE = 1 << 20
RING_SZ = 128 + 16 * 64


class Refused(Exception):
    pass


class Client:
    def __init__(self, name="valea:r"):
        self.name = name
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(20)
        self.sock.connect(sys.argv[1])
        self.hello = self.hear(HELLO)
        self.memory = os.memfd_create("refusals")
        self.size = SIZE
        os.ftruncate(self.memory, SIZE)
        self.map = mmap.mmap(self.memory, SIZE)
        self.event = os.eventfd(0)

    def use_hugepages(self):
        os.close(self.memory)
        self.size = 2 << 20
        self.memory = os.memfd_create("refusals", os.MFD_HUGETLB)
        os.ftruncate(self.memory, self.size)
        self.map = mmap.mmap(self.memory, self.size)

    def close(self):
        self.sock.close()
        os.close(self.memory)

    def send(self, kind, body=b"", fds=(), pad=128):
        data = (struct.pack("=H", kind) + body).ljust(pad, b"\0")
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.sock.sendmsg([data], anc)
        except BrokenPipeError:
            pass  # it has said why before it closed

    def hear(self, want):
        data = self.sock.recv(256)
        if len(data) != 128:
            raise AssertionError(f"{len(data)} bytes instead of a message")
        kind, body = struct.unpack("=H", data[:2])[0], data[2:]
        if kind == DISCONNECT and want != DISCONNECT:
            code, text = struct.unpack("=I96s", body[:100])
            raise Refused(code, text.split(b"\0")[0].decode())
        if kind != want:
            raise AssertionError(f"message {kind} instead of {want}")
        return body

    def init(self, version=0x0200, mode=0, secret=None):
        secret = self.name.encode() if secret is None else secret
        self.send(INIT, struct.pack("=HIB24s32s", version, 7, mode, secret, b"refusals"))
        self.hear(ACK)

    def region(self, index=0, size=None, fds=None):
        size = self.size if size is None else size
        self.send(ADD_REGION, struct.pack("=HQ", index, size), [self.memory] if fds is None else fds)
        self.hear(ACK)

    def ring(self, c2s, index=0, region=0, offset=None, log2=6, private=0, fds=None):
        offset = (0 if c2s else RING_SZ) if offset is None else offset
        body = struct.pack("=HHHIBH", 1 if c2s else 0, index, region, offset, log2, private)
        self.send(ADD_RING, body, [self.event] if fds is None else fds)
        self.hear(ACK)

    def cookies(self, value=COOKIE):
        self.map[0:4] = self.map[RING_SZ:RING_SZ + 4] = struct.pack("=I", value)

    def rings(self):
        self.ring(True)
        self.ring(False)

    def connect(self):
        self.send(CONNECT, b"refusals")
        return self.hear(CONNECTED)

    def up(self):
        self.init()
        self.region()
        self.rings()
        self.cookies()
        return self.connect()
