#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark suite; ./run starts it.

  Mfps      million frames delivered a second; a frame that is flooded counts for each receiver
  cycles    of the worker for a frame delivered (broadcast: for a frame in), in rounds that found frames
  limit     cycles that the machine takes at best, measured beside the row: the same rings moved by a loop that looks at one
            line and decides nothing, with the copy where there is one; times: cycles/limit
  busy %    of the worker's time; near 100 the worker is what limits the rate, else the clients are
  client    cycles of source and sinks together for a frame received
  lost/M    frames the switch dropped, per million delivered; paced: at the highest rate at which none was lost
  p50, p99  latency in that very run
  line      round trip of a cache line between the two CPUs, in cycles: near (one L3) or far. Only runs of one class compare.

Medians of the repetitions.
"""
import argparse
import json
import re
import subprocess
import sys

import idle
import limits
import memory
import peers
import plot
import report
import testpmd
from common import BenchError, come_first
from measure import run_row
from rows import QUICK, SMOKE, all_rows


def arguments():
    p = argparse.ArgumentParser(prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", default="", metavar="REGEX", help="only rows whose name matches; --list shows names")
    p.add_argument("--list", action="store_true", help="names of all rows")
    p.add_argument("--seconds", type=float, default=2, help="of each repetition (2)")
    p.add_argument("--repeat", type=int, default=5, help="repetitions (5)")
    p.add_argument("--json", metavar="FILE", help="write everything to FILE")
    p.add_argument("--plot", metavar="FILE", help="draw the rows into FILE (SVG); needs gnuplot")
    p.add_argument("--from", dest="earlier", metavar="FILE", help="measure nothing: show and draw what --json wrote earlier")
    p.add_argument("--mbufs", type=int, default=32768, help="of the switch's pool (32768)")
    p.add_argument("--quick", action="store_true", help="the rows that have a target, three times a second each")
    p.add_argument("--smoke", action="store_true",
                   help="a row of each kind once, briefly; fails where one delivers nothing or loses frames")
    args = p.parse_args()
    args.warm_up, args.limit_ms = 0.3, 20
    if args.quick:
        args.seconds, args.repeat = 1, 3
    if args.smoke:
        args.seconds, args.repeat, args.warm_up, args.limit_ms = 0.2, 1, 0.1, 2
    return args


def chosen_rows(args):
    rows = [*all_rows(), *testpmd.rows(), *(r for r in peers.rows() if r.runs_here())]
    if args.smoke:
        missing = set(SMOKE) - {r.name for r in rows}
        if missing:
            raise BenchError("rows are missing: " + ", ".join(sorted(missing)))
        rows = [r for r in rows if r.name in SMOKE]
    elif args.quick:
        rows = [r for r in rows if re.search(QUICK, r.name)]
    return [r for r in rows if re.search(args.rows, r.name)]


def check_smoke(document):
    # two threads of one CPU take turns only as well as the kernel lets them, on a busy machine
    bad = [f"{s['name']} loses frames ({', '.join(s['lost'])})" for s in document["rows"]
           if s["threads"] == 1 and s["frames"] and s["lost_per_million"] > s["may_lose"]]
    bad += ["idle-cpu: ports are missing" for i in document["idle"] if i["ports"] != idle.PORTS]
    if bad:
        raise BenchError("; ".join(bad))


def measure_rows(document, rows, args, ref):
    """A row that fails does not end the others."""
    for row in rows:
        try:
            s = run_row(row, args, ref)
            if not s["frames"]:
                raise BenchError("nothing is delivered")
            document["rows"].append(s)
            report.print_row(s)
        except (BenchError, OSError, subprocess.SubprocessError) as e:
            document["failed"].append({"name": row.name, "why": str(e)})
            print(f"{row.what:46} FAILED: {e}", flush=True)


def measure(document, rows, args, ref):
    report.print_head()
    measure_rows(document, rows, args, ref)
    document["against"] = report.against_peers(document["rows"])
    report.print_against(document["against"])
    if re.search(args.rows, "memory") and not args.quick:
        document["memory"] = memory.rows(args)
    memory.show(document["memory"])
    if re.search(args.rows, "idle-cpu"):
        document["idle"] = idle.rows(args)
    idle.show(document["idle"])


def show_machine(machine):
    print(", ".join(f"{k} {v}" for k, v in machine.items()))


def show_earlier(args):
    with open(args.earlier, encoding="utf-8") as f:
        document = json.load(f)
    show_machine(document["machine"])
    report.print_head()
    for s in document["rows"]:
        report.print_row(s)
    report.print_against(document["against"])
    memory.show(document["memory"])
    idle.show(document["idle"])
    if args.plot:
        plot.draw(args.plot, document["rows"], document["machine"])


def measure_all(args):
    rows, ref = chosen_rows(args), limits.reference()
    if args.list:
        print("\n".join([*(r.name for r in rows), "memory", "idle-cpu"]))
        return
    if not args.smoke:
        come_first()
    document = {"machine": report.environment(), "limits": limits.measure(50), "rows": [], "failed": [], "against": [],
                "memory": [], "idle": []}
    show_machine(document["machine"])
    print("limits:", ", ".join(f"{k} {v:,.0f}" for k, v in document["limits"].items()),
          f"({limits.judge(document['limits'], ref)})")
    try:
        measure(document, rows, args, ref)
    finally:
        if args.json:
            report.write_json(args.json, document)
    if args.plot:
        plot.draw(args.plot, document["rows"], document["machine"])
    if args.smoke:
        check_smoke(document)
    if document["failed"]:
        raise BenchError("rows that failed: " + ", ".join(f["name"] for f in document["failed"]))


def main():
    args = arguments()
    if args.earlier:
        show_earlier(args)
    else:
        measure_all(args)


try:
    main()
except (BenchError, subprocess.SubprocessError) as e:
    print(f"FAILED: {e}", file=sys.stderr)
    sys.exit(1)
