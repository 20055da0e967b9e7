#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# One MEMIF_OPEN request on the control socket, as no net_vale would send it. Prints the errno's name or 0, the MAC
# address, the number of descriptors and what the switch says.
# usage: open_request.py SOCKET NAME [mac=12 hex digits] [uid=N]
import array
import errno
import os
import socket
import struct
import sys

MAGIC, VERSION, MEMIF_OPEN = 0x454C4156, 1, 40
path, name = sys.argv[1], sys.argv[2]
opts = dict(a.split("=", 1) for a in sys.argv[3:])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if "uid" in opts:
    os.setuid(int(opts["uid"]))
s.connect(path)
mac = bytes.fromhex(opts.get("mac", "00" * 6))
body = struct.pack("32s32s6sBB", name.encode(), b"", mac, "mac" in opts, 0)
s.send(struct.pack("IHHII", MAGIC, VERSION, MEMIF_OPEN, 16 + len(body), 7) + body)
data, anc, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(4 * 8))
fds = array.array("i")
for level, kind, cdata in anc:
    if kind == socket.SCM_RIGHTS:
        fds.frombytes(cdata[: len(cdata) - len(cdata) % fds.itemsize])
err = struct.unpack_from("i", data, 16)[0]
text = data[24:280].split(b"\0")[0].decode()
print(errno.errorcode[err] if err else 0, data[280:286].hex() or "-", len(fds), text)
