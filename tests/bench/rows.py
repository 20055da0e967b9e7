# SPDX-License-Identifier: BSD-3-Clause
"""All rows, one axis at a time around 60 bytes, bursts of 256, unicast, two MACs, two ports, one thread for source and sink."""
from measure import Row

KINDS = ("dpdk", "netmap", "memif")
SIZES = (60, 256, 1514, 9014)


def of_sizes():
    for a in KINDS:
        for b in KINDS:
            for size in SIZES if a == b else (60, 1514):
                yield Row(f"{a}-{b}-{size}", f"{a} to {b}, {size} B", a, b, frame=size)


def of_threads(kind):
    yield Row(f"{kind}-two-lcores", f"{kind}, 60 B, source and sink two lcores", kind, threads=2)


def of_bursts(kind):
    for burst in (1, 8, 32, 64, 512, 1024):
        rings = 4096 if burst > 256 else 1024
        yield Row(f"{kind}-burst-{burst}", f"{kind}, 60 B, bursts of {burst}", kind,
                  traffic=("--burst", burst, "--rings", rings), switch=("--ring-size", rings))


def of_broadcasts(kind):
    for sinks in (1, 2, 3, 15):
        yield Row(f"{kind}-broadcast-{sinks}", f"{kind}, 60 B, broadcast to {sinks}", kind, sinks=sinks,
                  traffic=("--broadcast",))


def of_macs(kind):
    for macs in (1000, 10000, 100000):
        yield Row(f"{kind}-macs-{macs}", f"{kind}, 60 B, {macs} MACs in random order", kind, traffic=("--macs", macs),
                  switch=("--fdb-size", 131072))


def of_idle_ports():
    for kind in ("netmap", "memif"):
        for idle in (14, 62, 250):
            yield Row(f"{kind}-idle-{idle}", f"{kind}, 60 B, {idle} idle ports beside", kind,
                      idle=(f"{kind}:valea:i:{idle}",))
    for idle in (8, 16):
        yield Row(f"dpdk-idle-{idle}", f"dpdk, 60 B, {idle} idle netmap ports beside", "dpdk",
                  idle=(f"netmap:valea:i:{idle}",))


def of_batches():
    for batch in (1, 32, 256):
        yield Row(f"netmap-batch-{batch}", f"netmap, 60 B, --batch {batch}", "netmap", switch=("--batch", batch))


def of_latency(kind):
    for percent in (10, 50, 99):
        yield Row(f"{kind}-load-{percent}", f"{kind}, 60 B, {percent} % of the highest rate", kind, fraction=percent / 100,
                  kind="latency")
    for rate in (1000, 1000000):
        yield Row(f"{kind}-rate-{rate}", f"{kind}, 60 B, {rate} frames/s", kind, rate=rate, kind="latency")
    yield Row(f"{kind}-from-sleep", f"{kind}, 60 B, 100 frames/s: each from sleep", kind, rate=100, kind="latency", seconds=5,
              from_sleep=True)


def all_rows():
    rows = [*of_sizes()]
    for kind in KINDS:
        for axis in (of_threads, of_bursts, of_broadcasts, of_macs, of_latency):
            rows += axis(kind)
    rows += [*of_idle_ports(), *of_batches()]
    return rows


# A row of each kind, for the tests.
SMOKE = ("dpdk-dpdk-60", "netmap-netmap-60", "memif-memif-1514", "netmap-dpdk-60", "netmap-broadcast-3", "memif-macs-1000",
         "dpdk-two-lcores", "netmap-load-50", "memif-testpmd-60")
QUICK = r"^(dpdk-dpdk|netmap-netmap|memif-memif)-|broadcast-3|macs-100000"
