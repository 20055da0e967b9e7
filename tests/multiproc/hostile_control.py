#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client of the control socket that means harm. usage: hostile_control.py SOCKET CASE"""
import errno
import os
import socket
import struct
import sys
import time

MAGIC, VERSION = 0x454C4156, 1
ATTACH_DPDK, VERSION_GET, WAIT = 1, 3, 15
SHM_VERSION = 2  # VALE_DPDK_SHM_VERSION
HEADER = struct.Struct("=IHHII")
REPLY = struct.Struct("=16siI256s")
VERSIONS = struct.Struct("=32s64s64siI")
ATTACH = struct.Struct("=32s64s32sIH6sB3x16Q")
NAME = struct.Struct("=32s32s6sBB")


class Client:
    def __init__(self, path):
        self.conn = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.conn.settimeout(10)
        self.conn.connect(path)
        self.versions = None

    def send(self, kind, body=b""):
        self.conn.send(HEADER.pack(MAGIC, VERSION, kind, HEADER.size + len(body), 1) + body)

    def call(self, kind, body=b""):
        self.send(kind, body)
        answer, fds, _, _ = socket.recv_fds(self.conn, 4096, 64)
        for fd in fds:
            os.close(fd)
        if len(answer) < REPLY.size:
            sys.exit("no answer")
        _, error, _, text = REPLY.unpack_from(answer)
        return errno.errorcode.get(error, error), text, answer[REPLY.size:]

    def attach(self, name, queues=1, mac=None):
        if self.versions is None:
            self.versions = VERSIONS.unpack(self.call(VERSION_GET)[2])[:2]
        vale, dpdk = self.versions
        return self.call(ATTACH_DPDK, ATTACH.pack(
            name.encode(), dpdk, vale, SHM_VERSION, queues, mac or bytes(6), mac is not None, *[0] * 16))[0]

    def wait(self, name):
        return self.call(WAIT, NAME.pack(name.encode(), b"", bytes(6), 0, 0))[0]

    def start_wait(self, name):
        self.send(WAIT, NAME.pack(name.encode(), b"", bytes(6), 0, 0))


def attach_wait(path):
    c = Client(path)
    return [c.attach("valea:x"), c.wait("valea:never")]


def wait_attach(path):
    c = Client(path)
    c.attach("valea:x" * 9)  # too long a name: refused, but the versions are known then
    c.start_wait("valea:never")
    time.sleep(0.1)
    return [c.attach("valea:x")]


def queues(path):
    return [Client(path).attach("valea:x", queues=16)]


def group_mac(path):
    return [Client(path).attach("valea:x", mac=b"\x01\0\0\0\0\1"),
            Client(path).attach("valea:x", mac=bytes(6))]


def junk(path):
    for i in range(300):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(path)
        s.send(b"junk%d" % i)
        if s.recv(1):
            return ["answered"]
        s.close()
    return ["done"]


def many(path):
    conns = []
    for _ in range(40):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(path)
        conns.append(s)
    time.sleep(float(sys.argv[3]))
    return ["done"]


print(*globals()[sys.argv[2]](sys.argv[1]))
