#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ask a switch for a dpdk port as net_vale does, word for word, or with something wrong.

usage: attach_request.py SOCKET NAME [dpdk=VERSION] [vale=VERSION] [shm=NUMBER] [queues=N] [lcores=N,...]

Prints the errno's name, 0 for success, a blank, and the switch's sentence. The layout is that of
lib/control/vale_control_proto.h.
"""
import errno
import socket
import struct
import sys

MAGIC, VERSION = 0x454C4156, 1
ATTACH_DPDK, VERSION_GET = 1, 3
SHM_VERSION = 2  # VALE_DPDK_SHM_VERSION
HEADER = struct.Struct("=IHHII")
REPLY = struct.Struct("=16siI256s")
VERSIONS = struct.Struct("=32s64s64siI")
BODY = struct.Struct("=32s64s32sIH6sB3x16Q")


def call(conn, kind, body=b""):
    conn.send(HEADER.pack(MAGIC, VERSION, kind, HEADER.size + len(body), 1) + body)
    answer, fds, _, _ = socket.recv_fds(conn, 4096, 64)
    for fd in fds:
        socket.close(fd)
    if len(answer) < REPLY.size:
        sys.exit("no answer")
    _, error, _, text = REPLY.unpack_from(answer)
    return error, text.split(b"\0")[0].decode(), answer[REPLY.size:]


def main():
    path, name = sys.argv[1:3]
    wrong = dict(arg.split("=", 1) for arg in sys.argv[3:])
    conn = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    conn.settimeout(10)
    conn.connect(path)
    vale, dpdk = (v.split(b"\0")[0] for v in VERSIONS.unpack(call(conn, VERSION_GET)[2])[:2])
    lcores = [0] * 16
    for n in wrong.get("lcores", "").split(","):
        if n:
            lcores[int(n) // 64] |= 1 << int(n) % 64
    error, text, _ = call(conn, ATTACH_DPDK, BODY.pack(
        name.encode(), wrong.get("dpdk", dpdk.decode()).encode(),
        wrong.get("vale", vale.decode()).encode(), int(wrong.get("shm", SHM_VERSION)),
        int(wrong.get("queues", 1)), bytes(6), 0, *lcores))
    print(errno.errorcode.get(error, error), text)


main()
