# SPDX-License-Identifier: BSD-3-Clause
"""What all parts of the suite need: the world that ../lib.sh made, and processes."""
import json
import os
import subprocess
import time

BUILD = os.environ["VALE_BUILD"]
PREFIX = os.environ["PREFIX"]
SOCKET = os.environ["SOCKET"]
WORK = os.environ["WORK"]
PMD = os.environ["PMD"]
MEMIF = f"/run/vale/memif/{PREFIX}.sock"

# The switch's one worker has the last CPU; the clients, and all else of the switch, the first.
WORKER_CPU, CLIENT_CPU = os.cpu_count() - 1, 0


class BenchError(Exception):
    """What went wrong, as a sentence."""


def come_first():
    """Others on this machine get what is left of its CPUs. nice does nothing between sessions, so the session is raised."""
    try:
        os.setsid()
        os.nice(-20)
        with open("/proc/self/autogroup", "w", encoding="utf-8") as f:
            f.write("-20")
    except OSError:
        pass  # as good as it can be


def tail(path, chars=400):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()[-chars:]


def run(*command, **options):
    """Output of a command that must succeed."""
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True, timeout=60,
                          **options).stdout


def run_json(*command):
    out = run(*command)
    return json.loads(out) if out.strip() else None


def pinned(cpu, command):
    return ["taskset", "-c", str(cpu), *map(str, command)]


def await_true(seconds, what, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def cpu_seconds(pid):
    """CPU time of all threads of a process that are there, by the scheduler's count in nanoseconds: ticks are too coarse."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass  # it has ended meanwhile
    return total / 1e9
