#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a setting costs a busy switch: two values of it in turns, on one switch and under one stream of frames.

  paired.sh NAME A B [--kind KIND] [--pairs N] [--seconds S]      e.g.  paired.sh idle poll sleep

Between two looks at the counters NAME is set by vale-ctl; as both values are measured within a second of each other, what
the machine does meanwhile happens to both. Prints medians of worker cycles a frame and of the rate, and the median of the
differences. Fails where no frame comes any more.
"""
import argparse
import statistics
import sys
import time

from clients import Traffic
from common import BenchError, come_first
from switches import Vale


def measure(switch, name, value, seconds):
    """(seconds of the worker's CPU for a frame, frames a second)"""
    switch.ctl("set", name, value)
    time.sleep(0.05)
    a = switch.look()
    time.sleep(seconds)
    b = switch.look()
    frames = b["in"] - a["in"]
    if frames == 0:
        raise BenchError(f"{name} {value}: no frame came in {seconds} s; before {a}, after {b}")
    return (b["cpu_s"] - a["cpu_s"]) / frames, frames / (b["at"] - a["at"])


def in_turns(switch, args):
    got = {v: [] for v in args.value}
    for _ in range(args.pairs):
        for value in args.value:
            got[value].append(measure(switch, args.name, value, args.seconds))
    return [got[v] for v in args.value]


def show(args, hz, got):
    for value, found in zip(args.value, got):
        print(f"{args.name} {value}: {statistics.median(x[0] for x in found) * hz:.1f} cycles a frame, "
              f"{statistics.median(x[1] for x in found) / 1e6:.2f} M frames/s")
    for i, what in enumerate(("cycles a frame", "rate")):
        change = [100 * (y[i] / x[i] - 1) for x, y in zip(*got)]
        low, middle, high = statistics.quantiles(change, n=4)
        print(f"{what}: {middle:+.1f} % with {args.value[1]} (quartiles {low:+.1f} to {high:+.1f})")


def main():
    p = argparse.ArgumentParser(prog="paired.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("name")
    p.add_argument("value", nargs=2)
    p.add_argument("--kind", default="dpdk", help="of both ports (dpdk)")
    p.add_argument("--pairs", type=int, default=20)
    p.add_argument("--seconds", type=float, default=0.5)
    p.add_argument("--rate", type=float, default=0, help="frames a second (as many as go)")
    args = p.parse_args()
    come_first()
    switch = Vale("--mbufs", 32768)
    try:
        client = Traffic(f"{args.kind}:valea:0", [f"{args.kind}:valea:1"])
        client.go(args.rate)
        time.sleep(0.5)
        got = in_turns(switch, args)
        hz = client.stop()["hz"]
        client.end()
    finally:
        switch.stop()
    show(args, hz, got)


try:
    main()
except BenchError as e:
    print(f"FAILED: {e}", file=sys.stderr)
    sys.exit(1)
