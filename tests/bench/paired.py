#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a setting costs a busy switch: two values of it in turns, on one switch and under one stream of frames.

  paired NAME A B [PAIRS [SECONDS]]      e.g.  paired idle poll sleep

Between two looks at the counters NAME is set by vale-ctl; as both values are measured within a second of each other, what
the machine does meanwhile happens to both. Prints medians of worker cycles a frame and of the rate, and the median of the
differences. Run by ./paired.sh.
"""
import json
import os
import statistics
import subprocess
import sys
import time

BUILD, PREFIX, SOCKET, PMD = (os.environ[n] for n in ("VALE_BUILD", "PREFIX", "SOCKET", "PMD"))


def ctl(*arguments):
    out = subprocess.run([f"{BUILD}/app/vale-ctl", "--socket", SOCKET, "-j", *arguments], stdout=subprocess.PIPE,
                         check=True, timeout=30).stdout
    return json.loads(out)


def look():
    worker = ctl("workers")["workers"][0]
    return time.monotonic(), worker["cpu_ns"], worker["frames"]


def measure(name, value, seconds):
    """(nanoseconds of the worker for a frame, frames a second)"""
    ctl("set", name, value)
    time.sleep(0.05)
    a = look()
    time.sleep(seconds)
    b = look()
    frames = b[2] - a[2]
    if frames == 0:
        sys.exit(f"{name} {value}: no frame came in {seconds} s")
    return (b[1] - a[1]) / frames, frames / (b[0] - a[0])


def main():
    name, values = sys.argv[1], sys.argv[2:4]
    pairs = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    seconds = float(sys.argv[5]) if len(sys.argv) > 5 else 0.5
    client = subprocess.Popen(
        [f"{BUILD}/tests/bench/bench-dpdk", "--proc-type=secondary", f"--file-prefix={PREFIX}", "--no-pci",
         "--no-telemetry", "--lcores", "1@0", "-d", PMD, "--vdev=net_vale0,port=valea:0", "--vdev=net_vale1,port=valea:1",
         "--"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    client.stdout.readline()
    client.stdin.write("go\n")
    client.stdin.flush()
    time.sleep(0.5)
    got = {v: [] for v in values}
    for _ in range(pairs):
        for value in values:
            got[value].append(measure(name, value, seconds))
    client.stdin.write("stop\n")
    client.stdin.flush()
    hz = json.loads(client.stdout.readline())["hz"]
    client.stdin.close()
    client.wait(timeout=30)
    for value in values:
        print(f"{name} {value}: {statistics.median(x[0] for x in got[value]) * hz / 1e9:.1f} cycles a frame, "
              f"{statistics.median(x[1] for x in got[value]) / 1e6:.2f} M frames/s")
    for i, what in enumerate(("cycles a frame", "rate")):
        change = [100 * (y[i] / x[i] - 1) for x, y in zip(got[values[0]], got[values[1]])]
        print(f"{what}: {statistics.median(change):+.1f} % with {values[1]} (quartiles "
              f"{statistics.quantiles(change, n=4)[0]:+.1f} to {statistics.quantiles(change, n=4)[2]:+.1f})")


main()
