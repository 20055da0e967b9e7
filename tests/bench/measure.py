# SPDX-License-Identifier: BSD-3-Clause
"""One repetition of a row, and all of them.

A row is measured between two looks at the counters of the switch while its source sends all it can. Where that loses more than
one frame in a million, the highest rate at which nothing is lost is searched for, and measured.
"""
import statistics
import time

import limits
from clients import Traffic
from common import BenchError
from switches import Vale

MILLION = 1e6
SEARCH_STEPS = 6
SEARCH_FLOOR = 0.02  # of the rate at which frames were lost
BATCH_CLASSES = 11


def lost_between(a, b):
    return {r: n - a["drops"].get(r, 0) for r, n in b["drops"].items() if n > a["drops"].get(r, 0)}


def per(value, frames):
    return value / frames if frames else None


def looks_within(switch, client, seconds):
    """Looks at the switch while frames flow, and what the client then tells of all of its run."""
    a = {**switch.look(), "process_s": switch.cpu_seconds()}
    time.sleep(seconds)
    b = {**switch.look(), "process_s": switch.cpu_seconds()}
    return a, b, client.stop()


def looks_around(switch, client, rate, seconds):
    """A look takes a CPU for milliseconds, which would be latency of the frames meanwhile: so none flows then."""
    client.stop()
    a = {**switch.look(), "process_s": switch.cpu_seconds()}
    client.go(rate)
    start = time.monotonic()
    time.sleep(seconds)
    told = client.stop()
    ran = time.monotonic() - start
    b = {**switch.look(), "process_s": switch.cpu_seconds()}
    return a, {**b, "at": a["at"] + ran}, told


def repetition(row, switch, client, args, rate):
    # few frames would not touch each page of the rings and buffers, and each first touch takes microseconds
    client.go(0 if row.kind == "latency" else rate)
    time.sleep(args.warm_up)
    if row.kind == "latency":
        a, b, told = looks_around(switch, client, rate, args.seconds if args.smoke else max(args.seconds, row.seconds))
    else:
        a, b, told = looks_within(switch, client, args.seconds)
    if told["strange"]:
        raise BenchError(f"{told['strange']} frames came that nobody sent")
    seconds, frames, hz = b["at"] - a["at"], b["out"] - a["out"], told["hz"]
    taken = b["in"] - a["in"]
    busy = (b["busy_s"] - a["busy_s"]) * hz
    lost = lost_between(a, b)
    return {"rate": frames / seconds, "rate_in": taken / seconds, "frames": frames, "hz": hz,
            "worker_cycles": per(busy, frames), "worker_cycles_in": per(busy, taken),
            "client_cycles": per(told["cycles"], told["received"]),
            "lost": lost, "lost_per_million": sum(lost.values()) / frames * MILLION if frames else MILLION,
            "batches": [y - x for x, y in zip(a["batches"], b["batches"])],
            "latency_us": [c / hz * 1e6 for c in told["latency_cycles"]] if told["latency_cycles"] else None,
            "worker_busy": busy / hz / seconds, "worker_cpu": (b["cpu_s"] - a["cpu_s"]) / seconds,
            "switch_cpu": (b["process_s"] - a["process_s"]) / seconds}


def highest_lossless(switch, client, args, row, lossy):
    """Bisection between nothing and the rate at which frames were lost."""
    low, high, best = SEARCH_FLOOR * lossy["rate_in"], lossy["rate_in"], None
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2 if best else low + (high - low) * 0.8
        r = repetition(row, switch, client, args, middle)
        if r["lost_per_million"] > row.may_lose:
            high = middle
        else:
            low, best = middle, r
    return best or lossy


class Running:
    """A switch and its client, for the repetitions of one row."""

    def __init__(self, row, args):
        self.switch = row.make_switch(args)
        try:
            self.client = row.make_client(self.switch)
        except BaseException:
            self.switch.stop()
            raise

    def __enter__(self):
        return self.switch, self.client

    def __exit__(self, *_):
        try:
            self.client.end()
        finally:
            self.switch.stop()


def once(row, args):
    with Running(row, args) as (switch, client):
        r = repetition(row, switch, client, args, row.rate)
        if row.fraction:
            r = repetition(row, switch, client, args, row.fraction * r["rate_in"])
        paced = r["lost_per_million"] > row.may_lose and not args.smoke
        if paced:
            r = highest_lossless(switch, client, args, row, r)
        return {**r, "paced": paced or row.rate > 0 or row.fraction > 0}


def middle(results, field):
    values = [r[field] for r in results if r[field] is not None]
    return statistics.median(values) if values else None


def spread(results, field):
    values = [r[field] for r in results if r[field] is not None]
    return [min(values), max(values)] if values else None


def latencies(results):
    """Medians of percentiles; None where the client measures none."""
    if results[0]["latency_us"] is None:
        return None
    return {k: statistics.median(r["latency_us"][i] for r in results) for i, k in enumerate(("50", "90", "99", "99.9"))}


def summary(row, results, found, verdict):
    frames = sum(r["frames"] for r in results)
    lost = sum(sum(r["lost"].values()) for r in results)
    bounds = {k: statistics.median(f[k] for f in found) for k in found[0]}
    limit = limits.limit_of(row, bounds)
    s = {f: middle(results, f) for f in ("rate", "rate_in", "worker_cycles", "worker_cycles_in", "client_cycles",
                                         "worker_busy", "worker_cpu", "switch_cpu")}
    cycles = s["worker_cycles_in"] if row.copies > 1 else s["worker_cycles"]
    return {"name": row.name, "what": row.what, "kind": row.kind, "frame": row.frame, "may_lose": row.may_lose,
            "threads": row.threads, "peer": row.peer, "options": [str(o) for o in (*row.traffic, *row.switch)], **s,
            "spread_cycles": spread(results, "worker_cycles"), "repetitions": len(results),
            "gbit_s": s["rate"] * row.frame * 8 / 1e9, "frames": frames, "paced": any(r["paced"] for r in results),
            "lost_per_million": lost / frames * MILLION if frames else None,
            "lost": sorted({reason for r in results for reason in r["lost"]}),
            "batches": [sum(r["batches"][i] for r in results) for i in range(BATCH_CLASSES)],
            "latency_us": latencies(results), "machine_wakes_us": limits.wake(row.rate) if row.from_sleep else None,
            "limits": bounds, "limit_cycles": limit, "over_limit": cycles / limit if limit and cycles else None,
            "class": limits.distance(bounds["line_cycles"]), "verdict": verdict}


def of_best_class(runs):
    """The runs between whose ends the CPUs were near each other, or, if there is none, all that were far."""
    near = [r for r in runs if {limits.distance(f["line_cycles"]) for f in r[1]} == {"near"}]
    far = [r for r in runs if {limits.distance(f["line_cycles"]) for f in r[1]} == {"far"}]
    return near or far or runs


def run_row(row, args, ref):
    """Repetitions until there are enough with near CPUs; the host moves them at any time."""
    runs = []
    for _ in range(args.repeat * (1 if args.smoke else 2)):
        before = limits.measure(args.limit_ms)
        result = once(row, args)
        runs.append((result, (before, limits.measure(args.limit_ms))))
        best = of_best_class(runs)
        if len(best) >= args.repeat and limits.distance(best[0][1][0]["line_cycles"]) == "near":
            break
    best = of_best_class(runs)
    found = [f for r in best for f in r[1]]
    verdicts = [limits.judge(f, ref) for f in found]
    bad = [v for v in verdicts if v.startswith("void")]
    return summary(row, [r[0] for r in best], found, bad[0] if bad else verdicts[0])


class Row:
    """A case: its ports, and the options of the switch and of bench-traffic. copies: how often a frame is copied; 0 where an
    mbuf goes through as it is."""

    def __init__(self, name, what, source="dpdk", sink=None, sinks=1, traffic=(), switch=(), idle=(), frame=60, threads=1,
                 rate=0, fraction=0, kind="throughput", may_lose=1, seconds=0, from_sleep=False):
        self.name, self.what, self.kind, self.may_lose, self.peer = name, what, kind, may_lose, None
        self.source, self.sink, self.nb_sinks = source, sink or source, sinks
        self.traffic = ("--len", frame, *(o for i in idle for o in ("--idle", i)), *traffic)
        self.switch, self.frame, self.threads, self.rate = switch, frame, threads, rate
        self.fraction = fraction  # of the highest rate, which is found first
        self.seconds = seconds  # of a repetition, at least: where few frames are sent
        self.from_sleep = from_sleep  # the machine's own wake-up is measured beside it
        self.copies = sinks if (source, self.sink) != ("dpdk", "dpdk") else sinks - 1

    def make_switch(self, args):
        return Vale("--mbufs", args.mbufs, *self.switch)

    def make_client(self, switch):
        return Traffic(f"{self.source}:valea:src", [f"{self.sink}:valea:sink{i}" for i in range(self.nb_sinks)],
                       self.traffic, self.threads)
