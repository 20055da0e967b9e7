# SPDX-License-Identifier: BSD-3-Clause
"""Stock dpdk-testpmd as source and sink of memif ports, instead of bench-traffic.

One lcore, two ports, forward mode `mac`: what comes in at one port is sent out at the other, to the first one's address. So
frames circle both ways through the switch, at the rate that switch and testpmd have together, and never more of them than
a ring holds: none can be lost. testpmd reads and writes the headers only.
"""
import subprocess

import limits
from common import CLIENT_CPU, MEMIF, PREFIX, WORK, BenchError, await_true, pinned, tail
from measure import Row

BURST, NB_BURSTS = 256, 3  # on the way in each direction
MACS = ("02:be:00:02:00:00", "02:be:00:02:00:01")


class Testpmd:
    """What clients.Traffic offers, but no latencies and no cycles of its own."""

    def __init__(self, switch, names, frame):
        self.hz = limits.measure(2)["hz"]
        self.out = f"{WORK}/testpmd.out"
        command = ["stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--no-telemetry", "--in-memory", "--single-file-segments",
                   "--file-prefix", f"{PREFIX}-testpmd", "-m", "256", "--lcores", f"0@{CLIENT_CPU},1@{CLIENT_CPU}"]
        for i, name in enumerate(names):
            command.append(f"--vdev=net_memif{i},role=client,id={i},socket-abstract=no,socket={MEMIF},secret={name},"
                           f"mac={MACS[i]},zero-copy=yes")
        command += ["--", "-i", "--forward-mode=mac", f"--eth-peer=0,{MACS[1]}", f"--eth-peer=1,{MACS[0]}",
                    f"--burst={BURST}", f"--txpkts={frame}", "--total-num-mbufs=16384"]
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(pinned(CLIENT_CPU, command), stdin=subprocess.PIPE, stdout=out, stderr=out, text=True)
        await_true(30, "testpmd starts", lambda: "testpmd>" in self.told())
        await_true(10, "testpmd's ports are there", lambda: len(switch.ctl("stats")["ports"]) == len(names))

    def told(self):
        if self.process.poll() is not None:
            raise BenchError("testpmd ended: " + tail(self.out))
        return tail(self.out, 1 << 20)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def go(self, _rate):
        self.say(f"start tx_first {NB_BURSTS}")

    def stop(self):
        nb = self.told().count("Done.")
        self.say("stop")
        await_true(10, "testpmd stops", lambda: self.told().count("Done.") > nb)
        return {"strange": 0, "hz": self.hz, "cycles": 0, "received": 0, "latency_cycles": None}

    def end(self):
        self.say("quit")
        self.process.stdin.close()
        self.process.wait(timeout=30)


class TestpmdRow(Row):
    """memif ports with stock testpmd at both."""

    def __init__(self, frame):
        super().__init__(f"memif-testpmd-{frame}", f"memif, {frame} B, stock testpmd at both ends", "memif", frame=frame)

    def make_client(self, switch):
        return Testpmd(switch, ("valea:src", "valea:sink0"), self.frame)


def rows():
    return [TestpmdRow(60)]
