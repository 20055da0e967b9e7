#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark suite; ./run starts it.

The switch's one worker has CPU 1; the clients, and all else of the switch, have CPU 0. A row is measured between two
looks at the counters of the switch (vale-ctl stats, workers), while its clients send all they can:

  worker   cycles of the worker's thread for a frame delivered
  client   cycles of the client's lcore for a frame received, which it also sent
  rate     frames delivered a second
  lost     frames the switch dropped, per million delivered

Beside each run the limits of the machine are measured (bench-limits): the round trip of a cache line tells whether the two
CPUs share an L3 ("near") or not ("far"); runs of one class only can be compared. Medians of the repetitions.
"""
import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time

BUILD = os.environ["VALE_BUILD"]
PREFIX = os.environ["PREFIX"]
SOCKET = os.environ["SOCKET"]
WORK = os.environ["WORK"]
PMD = os.environ["PMD"]

NEAR_CYCLES = 500  # of a line's round trip: 310 near, 700 and more far
WORKER_CPU, CLIENT_CPU = 1, 0
BATCH_CLASSES = 11


class BenchError(Exception):
    """What went wrong, as a sentence."""


# ---- the switch ----------------------------------------------------------------------------

class Switch:
    """A vale-switch with one worker. arguments: its own options."""

    def __init__(self, *arguments):
        self.out = open(f"{WORK}/switch.out", "w+")
        self.err = open(f"{WORK}/switch.err", "w")
        self.process = subprocess.Popen(
            [f"{BUILD}/app/vale-switch", "--file-prefix", PREFIX, "--lcores",
             f"126@{CLIENT_CPU},127@{WORKER_CPU}", "--no-pci", "--", *map(str, arguments)],
            stdout=self.out, stderr=self.err)
        self.await_ready()

    def await_ready(self):
        end = time.monotonic() + 30
        while "vale-switch: ready" not in open(self.out.name).read():
            if self.process.poll() is not None or time.monotonic() > end:
                raise BenchError("the switch does not start: " + open(self.err.name).read()[-300:])
            time.sleep(0.05)

    def ctl(self, *arguments):
        out = subprocess.run([f"{BUILD}/app/vale-ctl", "--socket", SOCKET, "-j", *map(str, arguments)],
                             stdout=subprocess.PIPE, check=True, timeout=30).stdout
        return json.loads(out) if out.strip() else None

    def look(self):
        """Counters now."""
        return {"at": time.monotonic(), "ports": self.ctl("stats")["ports"],
                "worker": self.ctl("workers")["workers"][0]}

    def cpu_seconds(self):
        """CPU time of all threads."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """MiB of normal pages that are its own, and of hugepages."""
        text = open(f"/proc/{self.process.pid}/smaps_rollup").read()
        kb = lambda name: int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1))
        return {"own": (kb("Private_Dirty") + kb("Private_Clean")) / 1024,
                "huge": (kb("Shared_Hugetlb") + kb("Private_Hugetlb")) / 1024}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=30) != 0:
            raise BenchError("the switch did not end well")


# ---- clients -------------------------------------------------------------------------------

class DpdkClient:
    """bench-dpdk: source on the first port, sinks on the others. options: as on its command line."""

    def __init__(self, ports, options, lcore=1):
        vdevs = [f"--vdev=net_vale{lcore}_{i},port={p}" for i, p in enumerate(ports)]
        self.err = open(f"{WORK}/client.err", "w")
        self.process = subprocess.Popen(
            [f"{BUILD}/tests/bench/bench-dpdk", "--proc-type=secondary", f"--file-prefix={PREFIX}", "--no-pci",
             "--no-telemetry", "--lcores", f"{lcore}@{CLIENT_CPU}", "-d", PMD, *vdevs, "--", *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("the client ended: " + open(self.err.name).read()[-300:])
        return json.loads(line)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def go(self):
        self.say("go")

    def stop(self):
        self.say("stop")
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


# ---- measuring -----------------------------------------------------------------------------

def limits(milliseconds):
    out = subprocess.run([f"{BUILD}/tests/bench/bench-limits", str(WORKER_CPU), str(CLIENT_CPU), str(milliseconds)],
                         stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def summed(look, field):
    return sum(p[field] for p in look["ports"])


def drops(look):
    total = {}
    for port in look["ports"]:
        for reason, n in port["drops"].items():
            total[reason] = total.get(reason, 0) + n
    return total


def measure(switch, client, args):
    """One repetition: from one look at the counters to the next."""
    client.go()
    time.sleep(args.warm_up)
    a = switch.look()
    time.sleep(args.seconds)
    b = switch.look()
    told = client.stop()
    frames = summed(b, "tx_packets") - summed(a, "tx_packets")
    consumed = b["worker"]["frames"] - a["worker"]["frames"]
    cpu = b["worker"]["cpu_ns"] - a["worker"]["cpu_ns"]
    lost = {r: n - drops(a)[r] for r, n in drops(b).items() if n > drops(a)[r]}
    hz = told["hz"]
    return {
        "rate": frames / (b["at"] - a["at"]),
        "frames": frames,
        "worker_cycles": cpu / 1e9 * hz / frames if frames else None,
        "worker_cycles_in": cpu / 1e9 * hz / consumed if consumed else None,
        "client_cycles": told["cycles"] / told["received"] if told["received"] else None,
        "lost": lost,
        "batches": [y - x for x, y in zip(a["worker"]["batches"], b["worker"]["batches"])],
        "latency_us": [c / hz * 1e6 for c in told["latency_cycles"]],
        "worker_cpu": cpu / 1e9 / (b["at"] - a["at"]),
    }


class Row:
    """A case: names of its axis and value, options of the switch and the client, its ports."""

    def __init__(self, name, what, client=(), switch=(), sinks=1, idle=0, frame=60, kind="throughput",
                 may_lose=1):
        self.name, self.what, self.client, self.switch = name, what, client, switch
        self.sinks, self.idle, self.frame, self.kind = sinks, idle, frame, kind
        self.may_lose = may_lose  # of a million

    def run(self, args):
        switch = Switch("--mbufs", args.mbufs, *self.switch)
        try:
            for i in range(self.idle):
                switch.ctl("attach", f"valea:idle{i}", f"net_null_idle{i},no-rx=1")
            client = DpdkClient(["valea:src"] + [f"valea:sink{i}" for i in range(self.sinks)], self.client)
            try:
                return measure(switch, client, args)
            finally:
                client.end()
        finally:
            switch.stop()


def rows(args):
    """All rows, one axis at a time around 60 bytes, bursts of 64, one MAC, two ports."""
    out = []
    for size in (60, 256, 1514, 9014):
        out.append(Row(f"dpdk-{size}", f"dpdk to dpdk, {size} B, unicast", ["--len", size], frame=size))
    for burst in (1, 8, 256, 1024):
        out.append(Row(f"dpdk-burst-{burst}", f"dpdk to dpdk, 60 B, client's bursts of {burst}", ["--burst", burst]))
    for batch in (1, 32, 256):
        out.append(Row(f"dpdk-batch-{batch}", f"dpdk to dpdk, 60 B, --batch {batch}", [], ["--batch", batch]))
    for sinks in (1, 2, 3, 15):
        out.append(Row(f"dpdk-broadcast-{sinks}", f"dpdk, 60 B, broadcast to {sinks}", ["--broadcast"], sinks=sinks,
                       # while a client is off its CPU with the pool's lock, copies are made from a reserve
                       may_lose=1 if sinks < 4 else 10000))
    for macs in (1000, 10000, 100000):
        out.append(Row(f"dpdk-macs-{macs}", f"dpdk to dpdk, 60 B, {macs} MACs in random order", ["--macs", macs],
                       ["--fdb-size", 131072]))
    for idle in (8, 16):
        out.append(Row(f"dpdk-idle-{idle}", f"dpdk to dpdk, 60 B, {idle} idle ethdev ports beside", idle=idle))
    for rate in (100, 1000, 100000, 1000000):
        out.append(Row(f"dpdk-latency-{rate}", f"dpdk to dpdk, 60 B, {rate} frames/s", ["--rate", rate],
                       kind="latency"))
    return out


# ---- memory --------------------------------------------------------------------------------

def memory_rows(args):
    """What an idle switch and its ports take. The pool is what --mbufs says and is left out of ports."""
    result = []
    switch = Switch("--mbufs", args.mbufs, "--max-switches", 64)
    try:
        before = switch.memory()
        heap = switch.ctl("get", "heap_free")["heap_free"]
        result.append({"name": "memory-idle", "what": f"idle switch, {args.mbufs} mbufs", **before})
        for s in range(64):
            for p in range(16):
                switch.ctl("create", f"vale{s}:p{p}")
        after = switch.memory()
        used = heap - switch.ctl("get", "heap_free")["heap_free"]
        result.append({"name": "memory-1024-ports", "what": "64 switches of 16 persistent ports, beside that",
                       "own": after["own"] - before["own"], "huge": after["huge"] - before["huge"],
                       "heap": used / 2**20})
    finally:
        switch.stop()
    return result


# ---- results -------------------------------------------------------------------------------

def median(results, field):
    values = [r[field] for r in results if r[field] is not None]
    return statistics.median(values) if values else None


def summary(row, results, lines):
    lost = sum(sum(r["lost"].values()) for r in results)
    frames = sum(r["frames"] for r in results)
    middle = {f: median(results, f) for f in ("rate", "worker_cycles", "worker_cycles_in", "client_cycles",
                                              "worker_cpu")}
    batches = [sum(r["batches"][i] for r in results) for i in range(BATCH_CLASSES)]
    latency = [statistics.median(r["latency_us"][i] for r in results) for i in range(4)]
    reasons = sorted({reason for r in results for reason in r["lost"]})
    return {"name": row.name, "what": row.what, "kind": row.kind, "may_lose": row.may_lose, "frame": row.frame, **middle,
            "gbit_s": middle["rate"] * row.frame * 8 / 1e9, "frames": frames,
            "lost_per_million": lost / frames * 1e6 if frames else None, "lost": reasons, "batches": batches,
            "latency_us": dict(zip(("50", "90", "99", "99.9"), latency)) if row.kind == "latency" else None,
            "line_cycles": statistics.median(lines),
            "class": "near" if statistics.median(lines) < NEAR_CYCLES else "far"}


def run_row(row, args):
    results, lines = [], []
    for _ in range(args.repeat):
        lines.append(limits(args.limit_ms)["line_cycles"])
        results.append(row.run(args))
        lines.append(limits(args.limit_ms)["line_cycles"])
    return summary(row, results, lines)


def cell(value, form):
    return format(value, form) if value is not None else "-"


def print_head():
    print(f"{'case':50} {'Mfps':>7} {'Gbit/s':>7} {'worker':>7} {'client':>7} {'lost/M':>7} {'p50 us':>7} {'p99 us':>7} "
          f"{'CPU %':>6}  line")


def print_row(s):
    latency = s["latency_us"] or {}
    print(f"{s['what']:50} {s['rate'] / 1e6:7.2f} {s['gbit_s']:7.2f} {cell(s['worker_cycles'], '7.1f')} "
          f"{cell(s['client_cycles'] if s['kind'] == 'throughput' else None, '7.1f'):>7} "
          f"{cell(s['lost_per_million'], '7.2f')} {cell(latency.get('50'), '7.1f'):>7} "
          f"{cell(latency.get('99'), '7.1f'):>7} {100 * s['worker_cpu']:6.1f}  {s['line_cycles']:.0f} {s['class']}",
          flush=True)


def cpu_model():
    return re.search(r"^model name\s*:\s*(.*)$", open("/proc/cpuinfo").read(), re.M).group(1)


def environment():
    versions = subprocess.run([f"{BUILD}/app/vale-ctl", "--version"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()
    return {"cpu": cpu_model(), "cpus": os.cpu_count(), "kernel": platform.release(), "versions": versions,
            "command": " ".join(sys.argv)}


def arguments():
    p = argparse.ArgumentParser(prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", default="", metavar="REGEX", help="only rows whose name matches; --list shows names")
    p.add_argument("--list", action="store_true", help="names of all rows")
    p.add_argument("--seconds", type=float, default=2, help="of each repetition (2)")
    p.add_argument("--repeat", type=int, default=5, help="repetitions (5)")
    p.add_argument("--json", metavar="FILE", help="write everything to FILE")
    p.add_argument("--mbufs", type=int, default=32768, help="of the switch's pool (32768)")
    p.add_argument("--smoke", action="store_true",
                   help="each row once, briefly; fails where one delivers nothing or loses frames")
    args = p.parse_args()
    args.warm_up, args.limit_ms = 0.3, 50
    if args.smoke:
        args.seconds, args.repeat, args.warm_up, args.limit_ms = 0.2, 1, 0.1, 5
    return args


def check_smoke(summaries):
    bad = [f"{s['name']} ({', '.join(s['lost'])})" for s in summaries if not s["frames"] or s["lost_per_million"] > s["may_lose"]]
    if bad:
        raise BenchError("rows that deliver nothing or lose frames: " + ", ".join(bad))


def main():
    args = arguments()
    chosen = [r for r in rows(args) if re.search(args.rows, r.name)]
    if args.list:
        print("\n".join(r.name for r in rows(args)))
        return
    machine, bounds = environment(), limits(args.limit_ms)
    print(", ".join(f"{k} {v}" for k, v in machine.items()))
    print("limits:", ", ".join(f"{k} {v:,.0f}" for k, v in bounds.items()))
    print_head()
    summaries = []
    for row in chosen:
        summaries.append(run_row(row, args))
        print_row(summaries[-1])
    memory = memory_rows(args) if re.search(args.rows, "memory") else []
    for m in memory:
        print(f"{m['what']:50} {m['own']:.1f} MiB, {m['huge']:.1f} MiB of hugepages")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"machine": machine, "limits": bounds, "rows": summaries, "memory": memory}, f, indent=1)
    if args.smoke:
        check_smoke(summaries)


try:
    main()
except (BenchError, subprocess.SubprocessError) as e:
    print(f"FAILED: {e}", file=sys.stderr)
    sys.exit(1)
