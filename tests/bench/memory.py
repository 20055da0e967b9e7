# SPDX-License-Identifier: BSD-3-Clause
"""What an idle switch and its ports take."""
import resource

from clients import Traffic
from common import BenchError
from switches import Vale


def used_by(switch):
    """MiB: what the kernel says, and what is taken of the heap in hugepages, which were reserved at start."""
    return {**switch.memory(), "heap": -switch.ctl("get", "heap_free")["heap_free"] / 2**20}


def idle_switch(args):
    switch = Vale("--mbufs", args.mbufs, "--max-switches", 64)
    try:
        before = used_by(switch)
        yield {"name": "memory-idle", "what": f"idle switch, {args.mbufs} mbufs", **before, "heap": 0}
        nb = 2 if args.smoke else 64
        for s in range(nb):
            for p in range(16):
                switch.ctl("create", f"vale{s}:p{p}")
        after = used_by(switch)
        yield {"name": "memory-switches", "what": f"{nb} switches of 16 persistent ports, beside that",
               **{k: after[k] - before[k] for k in before}}
    finally:
        switch.stop()


def attached_ports(args):
    """16 netmap ports with their clients on each of 64 switches; each port takes some descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    nb = 2 if args.smoke else 64
    switch = Vale("--mbufs", args.mbufs, "--max-switches", 64)
    try:
        before = used_by(switch)
        # source and sink are ports too
        idle = [o for s in range(nb) for o in ("--idle", f"netmap:vale{s}:p:{14 if s == 0 else 16}")]
        client = Traffic("netmap:vale0:src", ["netmap:vale0:sink"], idle)
        try:
            after, ports = used_by(switch), len(switch.ctl("stats")["ports"])
        finally:
            client.end()
        if ports != nb * 16:
            raise BenchError(f"{ports} of {nb * 16} ports are attached")
        return {"name": "memory-attached", "what": f"{nb} switches of 16 netmap ports of 64 slots",
                **{k: after[k] - before[k] for k in before}}
    finally:
        switch.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def of_kind(args, kind):
    """A port with its client: half of what two take."""
    switch = Vale("--mbufs", args.mbufs)
    try:
        before = used_by(switch)
        client = Traffic(f"{kind}:valea:a", [f"{kind}:valea:b"])
        try:
            after = used_by(switch)
        finally:
            client.end()
        return {"name": f"memory-{kind}", "what": f"a {kind} port", **{k: (after[k] - before[k]) / 2 for k in before}}
    finally:
        switch.stop()


def rows(args):
    return [*idle_switch(args), attached_ports(args), *(of_kind(args, k) for k in (("netmap",) if args.smoke else ("dpdk", "netmap", "memif")))]


def show(sizes):
    for m in sizes:
        print(f"{m['what']:46} {m['own']:.2f} MiB of its own, {m['shared']:.2f} MiB shared, "
              f"{m['huge']:.1f} MiB of hugepages, {m['heap']:.2f} MiB of the heap in them")
