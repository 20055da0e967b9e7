# SPDX-License-Identifier: BSD-3-Clause
"""vale-switch, as the suite sees it. What other switches must offer to be measured is the same: look(), port names, stop()."""
import re
import signal
import subprocess
import time

from common import BUILD, CLIENT_CPU, PREFIX, SOCKET, WORK, WORKER_CPU, BenchError, await_true, cpu_seconds, run_json, tail


class Vale:
    """A vale-switch with one worker. arguments: its own options."""

    def __init__(self, *arguments):
        with open(f"{WORK}/switch.out", "w", encoding="utf-8") as out, open(f"{WORK}/switch.err", "w", encoding="utf-8") as err:
            self.process = subprocess.Popen(
                [f"{BUILD}/app/vale-switch", "--file-prefix", PREFIX, "--lcores",
                 f"126@{CLIENT_CPU},127@{WORKER_CPU}", "--no-pci", "--", *map(str, arguments)],
                stdout=out, stderr=err)
        await_true(30, "the switch starts", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise BenchError("the switch does not start: " + tail(f"{WORK}/switch.err"))
        return "vale-switch: ready" in tail(f"{WORK}/switch.out", 4000)

    def ctl(self, *arguments):
        return run_json(f"{BUILD}/app/vale-ctl", "--socket", SOCKET, "-j", *arguments)

    def look(self):
        """Counters now: frames received and delivered, drops by reason, times of the worker in seconds, batches by size."""
        at = time.monotonic()
        ports = self.ctl("stats")["ports"]
        w = self.ctl("workers")["workers"][0]
        drops = {}
        for port in ports:
            for reason, n in port["drops"].items():
                drops[reason] = drops.get(reason, 0) + n
        return {"at": at, "in": w["frames"], "out": sum(p["tx_packets"] for p in ports), "drops": drops,
                "cpu_s": w["cpu_ns"] / 1e9, "busy_s": w["busy_ns"] / 1e9, "batches": w["batches"]}

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def memory(self):
        """MiB of the process: its own, shared with clients (regions of ports, as far as it has touched them), hugepages."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as f:
            text = f.read()
        mib = lambda name: int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1)) / 1024
        return {"own": mib("RssAnon"), "shared": mib("RssShmem"), "huge": mib("HugetlbPages")}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=30) != 0:
            raise BenchError("the switch did not end well")
