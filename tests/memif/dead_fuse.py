# SPDX-License-Identifier: BSD-3-Clause
"""A file of a file system whose daemon does not answer any more: who looks at it or closes it waits for ever."""
import ctypes
import os
import select
import stat
import struct
import tempfile
import threading

IN_HEADER = struct.Struct("=IIQQIIIHH")
OUT_HEADER = struct.Struct("=IiQ")
ATTR = struct.Struct("=QQQQQQIIIIIIIIII")
LOOKUP, GETATTR, OPEN, INIT = 1, 3, 14, 26
MNT_DETACH = 2


def attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o644
    return ATTR.pack(node, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node):
    """What is said to a request; None to what is not known."""
    if opcode == INIT:
        return struct.pack("=IIIIHHIIHHI7I", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0, 0, *[0] * 7)
    if opcode == LOOKUP:
        return struct.pack("=QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2)
    if opcode == GETATTR:
        return struct.pack("=QII", 0, 0, 0) + attributes(node)
    if opcode == OPEN:
        return struct.pack("=QII", 1, 0, 0)
    return None


class DeadFile:
    """Such a file, open as `fd`. OSError where there is no FUSE, or no right to it."""

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
        self.folder = tempfile.mkdtemp()
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"dead", self.folder.encode(), b"fuse", 0, options) != 0:
            error = ctypes.get_errno()
            os.close(self.device)
            os.rmdir(self.folder)
            raise OSError(error, os.strerror(error))
        self.alive = True
        self.daemon = threading.Thread(target=self.serve)
        self.daemon.start()
        self.fd = os.open(self.folder + "/file", os.O_RDWR)
        self.alive = False
        self.daemon.join()
        self.umount = libc.umount2

    def serve(self):
        while self.alive:
            if not select.select([self.device], [], [], 0.05)[0]:
                continue
            request = os.read(self.device, 1 << 17)
            _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
            body = answer(opcode, node)
            error = 0 if body is not None else -38  # ENOSYS
            os.write(self.device, OUT_HEADER.pack(OUT_HEADER.size + len(body or b""), error, unique) + (body or b""))

    def close(self):
        os.close(self.device)  # now whoever waits is told that the file system is gone
        try:
            os.close(self.fd)
        except OSError:
            pass
        self.umount(self.folder.encode(), MNT_DETACH)
        os.rmdir(self.folder)
