# SPDX-License-Identifier: BSD-3-Clause
"""What a switch takes of a CPU when nothing moves, with many ports attached."""
import time

from clients import Traffic
from switches import Vale

PORTS = 64


def rows(args):
    switch = Vale("--mbufs", args.mbufs)
    try:
        half = PORTS // 2 - 1  # source and sink are ports too
        client = Traffic("netmap:valea:src", ["memif:valea:sink"],
                         ("--idle", f"netmap:valea:n:{half}", "--idle", f"memif:valea:m:{half}"))
        try:
            time.sleep(args.warm_up)
            at, cpu = time.monotonic(), switch.cpu_seconds()
            time.sleep(max(args.seconds, 1))
            share = (switch.cpu_seconds() - cpu) / (time.monotonic() - at)
            ports = len(switch.ctl("stats")["ports"])
        finally:
            client.end()
        return [{"name": "idle-cpu", "what": f"idle switch with {ports} netmap and memif ports", "ports": ports, "cpu": share}]
    finally:
        switch.stop()


def show(found):
    for m in found:
        print(f"{m['what']:46} {100 * m['cpu']:.2f} % of a CPU")
