# SPDX-License-Identifier: BSD-3-Clause
"""bench-traffic: source and sinks in a process of their own."""
import json
import subprocess

from common import BUILD, CLIENT_CPU, MEMIF, PMD, PREFIX, SOCKET, WORK, BenchError, pinned, tail


class Traffic:
    """source and sinks: KIND:NAME each, of vale-switch unless vdevs say otherwise. options: as on bench-traffic's command line.

    vdevs: EAL devices for ports of kind dpdk that are not net_vale's; then the process is no secondary."""

    def __init__(self, source, sinks, options=(), threads=1, vdevs=()):
        ports = [source, *sinks]
        command = [f"{BUILD}/tests/bench/bench-traffic"]
        if any(p.startswith("dpdk:") for p in ports):
            command += self.eal(ports, threads, vdevs)
        command += ["--", "--threads", threads, "--source", source]
        for sink in sinks:
            command += ["--sink", sink]
        command += ["--socket", SOCKET, "--memif-socket", MEMIF, *options]
        self.log = f"{WORK}/client.err"
        with open(self.log, "w", encoding="utf-8") as err:
            self.process = subprocess.Popen(pinned(CLIENT_CPU, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=err, text=True)
        self.answer()

    @staticmethod
    def eal(ports, threads, vdevs):
        lcores = ",".join(f"{1 + i}@{CLIENT_CPU}" for i in range(threads))
        common = ["--no-pci", "--no-telemetry", "--lcores", lcores]
        if vdevs:
            return [*common, "--in-memory", "--single-file-segments", "--file-prefix", f"{PREFIX}-client", "-m", "128", *vdevs]
        names = [p.removeprefix("dpdk:") for p in ports if p.startswith("dpdk:")]
        return ["--proc-type=secondary", f"--file-prefix={PREFIX}", *common, "-d", PMD,
                *(f"--vdev=net_vale{i},port={n}" for i, n in enumerate(names))]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("the client ended: " + tail(self.log))
        return json.loads(line)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def go(self, rate=None):
        """rate: frames a second, 0: as many as go, None: as the options say."""
        self.say("go" if rate is None else f"go {rate}")

    def stop(self):
        self.say("stop")
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
