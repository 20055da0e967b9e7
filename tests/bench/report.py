# SPDX-License-Identifier: BSD-3-Clause
"""The table and the JSON document."""
import json
import os
import platform
import shlex
import shutil
import sys

import limits
from common import BUILD, run


def peer_versions():
    ovs = shutil.which("ovs-vswitchd")
    return run(ovs, "--version").splitlines()[0] if ovs else "none"


def environment():
    cpu = limits.cpu()
    return {"cpu": cpu["name"], "cpu_id": cpu["id"], "cpus": os.cpu_count(), "kernel": platform.release(),
            "versions": run(f"{BUILD}/app/vale-ctl", "--version").strip(),
            "dpdk": run("pkg-config", "--modversion", "libdpdk").strip(), "peers": peer_versions(),
            "command": shlex.join(["tests/bench/run", *sys.argv[1:]])}


def cell(value, form):
    width = int(form.split(".")[0])
    return f"{value:{form}f}" if value is not None else "-".rjust(width)


def print_head():
    print(f"{'case':46} {'Mfps':>6} {'Gbit/s':>6} {'cycles':>7} {'limit':>6} {'times':>5} {'busy %':>6} {'client':>6} "
          f"{'lost/M':>6} {'p50 us':>7} {'p99 us':>7} {'batch':>5}  line")


def mean_batch(batches):
    """About: from the histogram by powers of two."""
    nb = sum(batches)
    return sum(n * 1.5 * 2**i for i, n in enumerate(batches)) / nb if nb else None


def print_row(s):
    latency = s["latency_us"] or {"50": None, "99": None}
    cycles = cycles_of(s)
    notes = " paced" if s["paced"] and s["kind"] == "throughput" else ""
    if s["machine_wakes_us"]:
        notes += f" (a thread alone wakes after {s['machine_wakes_us']['50']:.1f}, {s['machine_wakes_us']['99']:.1f} us)"
    notes += f" {s['verdict']}" if s["verdict"].startswith("void") else ""
    print(f"{s['what']:46} {cell(s['rate'] / 1e6, '6.2')} {cell(s['gbit_s'], '6.1')} {cell(cycles, '7.1')} "
          f"{cell(s['limit_cycles'], '6.1')} {cell(s['over_limit'], '5.2')} {cell(100 * s['worker_busy'], '6.1')} "
          f"{cell(s['client_cycles'] if s['kind'] == 'throughput' else None, '6.1')} {cell(s['lost_per_million'], '6.2')} "
          f"{cell(latency['50'], '7.1')} {cell(latency['99'], '7.1')} {cell(mean_batch(s['batches']), '5.0')}  "
          f"{s['limits']['line_cycles']:.0f} {s['class']} x{s['repetitions']}{notes}", flush=True)


def cycles_of(s):
    """For a frame delivered, or for a frame in where it is delivered to many."""
    return s["worker_cycles_in"] if "broadcast" in s["name"] else s["worker_cycles"]


def against_peers(summaries):
    """Our worker's cycles as parts of a peer's, for rows of the same transport, clients and run."""
    ours = {s["name"]: s for s in summaries if s["peer"] == "vale"}
    found = []
    for s in summaries:
        mine = ours.get(s["name"].replace("peer-ovs-", "peer-vale-"))
        if s["peer"] == "ovs" and mine and cycles_of(mine) and cycles_of(s):
            found.append({"what": s["what"], "vale": cycles_of(mine), "peer": cycles_of(s), "part": cycles_of(mine) / cycles_of(s),
                          "class": (mine["class"], s["class"])})
    return found


def print_against(found):
    for f in found:
        print(f"{f['what']}: {f['peer']:.1f} cycles, vale {f['vale']:.1f}: {f['part']:.2f} of it ({' and '.join(f['class'])})")


def write_json(path, document):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
