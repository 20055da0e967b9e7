# SPDX-License-Identifier: BSD-3-Clause
"""What the machine can do at best, measured beside each row (bench_limits.c), and what it should be able to do
(limits.json, by CPU model)."""
import json
import os
import re

from common import BUILD, CLIENT_CPU, WORKER_CPU, run_json

NEAR_CYCLES = 500  # of a line's round trip: 310 near, 700 and more far
TOLERANCE = 0.15
HERE = os.path.dirname(os.path.abspath(__file__))


def measure(milliseconds):
    return run_json(f"{BUILD}/tests/bench/bench-limits", WORKER_CPU, CLIENT_CPU, milliseconds)


def wake(rate):
    """How soon a thread that sleeps on the worker's CPU is awake, rung so many times a second; microseconds. No switch that
    sleeps can do better. It takes longer, the longer the CPU has been idle."""
    found = run_json(f"{BUILD}/tests/bench/bench-wake", WORKER_CPU, CLIENT_CPU, 500, 1e6 / rate)
    return {"50": found["p50_us"], "99": found["p99_us"]}


def distance(line_cycles):
    return "near" if line_cycles < NEAR_CYCLES else "far"


def cpu():
    """Name, and family and model as in limits.json."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        text = f.read()
    field = lambda name: re.search(rf"^{name}\s*:\s*(.*)$", text, re.M)
    values = [m.group(1) if m else "?" for m in map(field, ("model name", "cpu family", "model"))]
    return {"name": values[0], "id": f"{values[1]}/{values[2]}"}


def reference():
    """Limits of this CPU by class, or None where nobody has measured it on a quiet machine."""
    with open(f"{HERE}/limits.json", encoding="utf-8") as f:
        return json.load(f)["cpus"].get(cpu()["id"])


def limit_of(row, found):
    """Cycles for a frame of a row, at the very best: the same rings moved by a loop that decides nothing, and one copy
    where memory is not shared, for each receiver."""
    if row.peer or row.kind == "latency":
        return None
    if row.copies == 0:
        return found["ring_cycles"]
    slots = found.get(f"slots_{row.frame}_cycles")
    return slots and slots * row.copies


def judge(found, ref):
    """How a run's limits stand to the reference: 'ok', 'void' with what differs, or 'no reference'."""
    expected = (ref or {}).get(distance(found["line_cycles"]))
    if not expected:
        return "no reference for this CPU"
    off = [n for n, v in expected.items() if n in found and abs(found[n] / v - 1) > TOLERANCE]
    return "ok" if not off else "void: " + ", ".join(off)
