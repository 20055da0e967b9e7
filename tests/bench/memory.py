# SPDX-License-Identifier: BSD-3-Clause
"""What an idle switch and its ports take."""
from clients import Traffic
from switches import Vale


def idle_switch(args):
    switch = Vale("--mbufs", args.mbufs, "--max-switches", 64)
    try:
        before = switch.memory()
        heap = switch.ctl("get", "heap_free")["heap_free"]
        yield {"name": "memory-idle", "what": f"idle switch, {args.mbufs} mbufs", **before}
        nb = 2 if args.smoke else 64
        for s in range(nb):
            for p in range(16):
                switch.ctl("create", f"vale{s}:p{p}")
        after = switch.memory()
        used = heap - switch.ctl("get", "heap_free")["heap_free"]
        yield {"name": "memory-switches", "what": f"{nb} switches of 16 persistent ports, beside that",
               **{k: after[k] - before[k] for k in before}, "heap": used / 2**20}
    finally:
        switch.stop()


def of_kind(args, kind):
    """A port with its client: half of what two take."""
    switch = Vale("--mbufs", args.mbufs)
    try:
        before = switch.memory()
        client = Traffic(f"{kind}:valea:a", [f"{kind}:valea:b"])
        try:
            after = switch.memory()
        finally:
            client.end()
        return {"name": f"memory-{kind}", "what": f"a {kind} port", **{k: (after[k] - before[k]) / 2 for k in before}}
    finally:
        switch.stop()


def rows(args):
    return [*idle_switch(args), *(of_kind(args, k) for k in (("netmap",) if args.smoke else ("dpdk", "netmap", "memif")))]


def show(sizes):
    for m in sizes:
        print(f"{m['what']:46} {m['own']:.2f} MiB of its own, {m['shared']:.2f} MiB shared, "
              f"{m['huge']:.1f} MiB of hugepages")
