# SPDX-License-Identifier: BSD-3-Clause
"""Other switches that Debian packages, for the same traffic: Open vSwitch with DPDK, and the kernel's bridge.

They offer what switches.Vale does: look(), cpu_seconds(), stop(), and the ports' names for bench-traffic. A row of theirs that
cannot be run (a package is missing) says so and is left out.
"""
import os
import re
import shutil
import subprocess
import time

from clients import Traffic
from common import CLIENT_CPU, WORK, WORKER_CPU, BenchError, await_true, cpu_seconds, run, run_json, tail
from limits import measure as measure_limits
from measure import BATCH_CLASSES, Row
from switches import Vale

OVS_DPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# The source's queue, and what is in the switch's hands, fits into a sink's: net_virtio does not say how full it is.
VHOST_SOURCE_SLOTS, VHOST_SINK_SLOTS = 256, 1024
# Open vSwitch has a transmit queue for each PMD thread and one for its other threads; whose is which cannot be told from here.
# net_memif writes astray where the client has no ring for a queue. One of the two stays empty. vale-switch would spread the
# frames over two by a hash of their flow, which is no part of what is compared.
OVS_MEMIF_RINGS = 2


class Ovs:
    """Open vSwitch, one PMD thread on the worker's CPU, action NORMAL. transport: memif or vhost."""

    def __init__(self, transport, nb_ports):
        self.folder = f"{WORK}/ovs"
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.environment = {**os.environ, "OVS_RUNDIR": self.folder, "OVS_LOGDIR": self.folder, "OVS_DBDIR": self.folder}
        self.db = f"unix:{self.folder}/db.sock"
        self.hz = measure_limits(2)["hz"]
        self.processes = []
        try:
            self.start()
            for i in range(nb_ports):
                self.add_port(transport, i)
        except BaseException:
            self.stop()
            raise

    def spawn(self, name, *command):
        with open(f"{WORK}/{name}.err", "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(list(command), env=self.environment, stdout=log, stderr=log))
        return self.processes[-1]

    def start(self):
        run("ovsdb-tool", "create", f"{self.folder}/conf.db", OVS_SCHEMA, env=self.environment)
        self.spawn("ovsdb", "ovsdb-server", f"{self.folder}/conf.db", f"--remote=p{self.db}")
        await_true(10, "ovsdb-server starts", lambda: os.path.exists(f"{self.folder}/db.sock"))
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:dpdk-lcore-mask={1 << CLIENT_CPU:#x}", f"other_config:pmd-cpu-mask={1 << WORKER_CPU:#x}",
                   "other_config:dpdk-socket-mem=512", f"other_config:dpdk-hugepage-dir={WORK}/huge",
                   'other_config:dpdk-extra="--no-pci --no-telemetry --file-prefix=ovsbench --single-file-segments"')
        self.vswitchd = self.spawn("vswitchd", OVS_DPDK, self.db, f"--log-file={self.folder}/ovs.log",
                                   f"--pidfile={self.folder}/ovs-vswitchd.pid", f"--unixctl={self.folder}/ctl")
        self.vsctl("--timeout=30", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")

    def vsctl(self, *arguments):
        try:
            return run("ovs-vsctl", f"--db={self.db}", *arguments, env=self.environment, stderr=subprocess.STDOUT)
        except subprocess.CalledProcessError as e:
            raise BenchError(f"ovs-vsctl {' '.join(arguments)}: {e.output}") from e

    def appctl(self, *arguments):
        return run("ovs-appctl", "-t", f"{self.folder}/ctl", *arguments, env=self.environment)

    def add_port(self, transport, i):
        if transport == "memif":
            what = ["type=dpdk", "options:dpdk-devargs=" +
                    f'"net_memif{i},role=server,id=0,socket-abstract=no,socket={self.socket(i)}"',
                    "options:n_rxq_desc=1024", "options:n_txq_desc=1024"]
        else:
            what = ["type=dpdkvhostuserclient", f"options:vhost-server-path={self.socket(i)}"]
        out = self.vsctl("--timeout=30", "add-port", "br0", f"p{i}", "--", "set", "Interface", f"p{i}", *what)
        if out.strip():
            raise BenchError(f"port {i}: {out} {tail(f'{self.folder}/ovs.log')}")

    def socket(self, i):
        return f"{WORK}/ovs/port{i}.sock"

    def look(self):
        at = time.monotonic()
        stats = self.appctl("dpif-netdev/pmd-stats-show")
        show = self.appctl("dpctl/show", "-s", "netdev@ovs-netdev")
        ports = re.findall(r"port \d+: p\d+ .*?RX packets:(\d+).*?TX packets:(\d+) errors:\S+ dropped:(\d+|\?)", show, re.S)
        pmd = "".join(s for s in re.split(r"(?m)^(?=\S)", stats) if s.startswith("pmd thread"))
        number = lambda name: int(m.group(1)) if (m := re.search(rf"{name}: (\d+)", pmd)) else 0
        return {"at": at, "in": number("packets received"), "out": sum(int(p[1]) for p in ports),
                "drops": {"dst_full": sum(int(p[2]) for p in ports if p[2] != "?")}, "busy_s": number("processing cycles") / self.hz,
                "cpu_s": cpu_seconds(self.vswitchd.pid), "batches": [0] * BATCH_CLASSES}

    def cpu_seconds(self):
        return cpu_seconds(self.vswitchd.pid)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(timeout=30)
        self.processes = []


class Bridge:
    """The kernel's bridge and veth pairs, of which the clients have the other ends. It works in its clients' threads."""

    def __init__(self, nb_ports):
        self.nb = nb_ports
        # the kernel's own frames are none of ours
        run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        run("ip", "link", "add", "benchbr", "type", "bridge", "mcast_snooping", "0")
        for i in range(nb_ports):
            run("ip", "link", "add", f"bench0p{i}", "type", "veth", "peer", "name", f"bench{i}")
            run("ip", "link", "set", f"bench0p{i}", "master", "benchbr", "up")
            run("ip", "link", "set", f"bench{i}", "up")
        run("ip", "link", "set", "benchbr", "up")
        time.sleep(0.2)

    def look(self):
        # /sys shows another namespace's interfaces
        stats = {link["ifname"]: link["stats64"] for link in run_json("ip", "-j", "-s", "link", "show")}
        count = lambda i, way, what: stats[f"bench{i}"][way][what]
        sinks = range(1, self.nb)
        return {"at": time.monotonic(), "in": count(0, "tx", "packets"), "out": sum(count(i, "rx", "packets") for i in sinks),
                "drops": {"dst_full": sum(count(i, "rx", "dropped") for i in sinks)}, "busy_s": 0, "cpu_s": 0,
                "batches": [0] * BATCH_CLASSES}

    def cpu_seconds(self):
        return 0

    def stop(self):
        run("ip", "link", "del", "benchbr")
        for i in range(self.nb):
            run("ip", "link", "del", f"bench{i}")


class PeerRow(Row):
    """One of ours beside: peer None is vale-switch with the same clients."""

    def __init__(self, peer, transport, frame=60, sinks=1, traffic=()):
        kind = "broadcast" if sinks > 1 else "unicast"
        name = peer or "vale"
        super().__init__(f"peer-{name}-{transport}-{frame}-{kind}", f"{name}, {transport}, {frame} B, {kind}"
                         + (f" to {sinks}" if sinks > 1 else ""), "memif", sinks=sinks, frame=frame, traffic=traffic)
        self.peer, self.transport = name, transport
        self.needs = {"ovs": OVS_DPDK, "bridge": "/usr/sbin/ip"}.get(peer)

    def runs_here(self):
        return self.needs is None or os.path.exists(self.needs)

    def make_switch(self, args):
        if self.peer == "ovs":
            return Ovs(self.transport, 1 + self.nb_sinks)
        if self.peer == "bridge":
            return Bridge(1 + self.nb_sinks)
        switch = Vale("--mbufs", args.mbufs)
        if self.transport == "vhost":
            for i in range(1 + self.nb_sinks):
                switch.ctl("create", f"valea:p{i}", "--vhost", f"{WORK}/vhost{i}.sock")
        return switch

    def make_client(self, switch):
        nb = 1 + self.nb_sinks
        if self.transport == "memif":
            at = [f"@{switch.socket(i)}" if self.peer != "vale" else "" for i in range(nb)]
            return Traffic(f"memif:valea:p0{at[0]}", [f"memif:valea:p{i}{at[i]}" for i in range(1, nb)],
                           (*self.traffic, "--memif-rings", OVS_MEMIF_RINGS if self.peer == "ovs" else 1))
        if self.transport == "vhost":
            vdevs = [self.virtio(switch, i) for i in range(nb)]
            name = "net_virtio_user"
        else:
            vdevs = [f"--vdev=net_af_packet{i},iface=bench{i},blocksz=65536,framesz=2048,framecnt=1024,qpairs=1" for i in range(nb)]
            name = "net_af_packet"
        return Traffic(f"dpdk:{name}0", [f"dpdk:{name}{i}" for i in range(1, nb)], self.traffic, vdevs=vdevs)

    def virtio(self, switch, i):
        slots = VHOST_SINK_SLOTS if i else VHOST_SOURCE_SLOTS
        path = switch.socket(i) if self.peer != "vale" else f"{WORK}/vhost{i}.sock"
        # an earlier client leaves it behind, and net_virtio_user does not replace it
        if os.path.exists(path):
            os.unlink(path)
        return f"--vdev=net_virtio_user{i},path={path},server=1,queues=1,queue_size={slots},mac=02:be:00:01:00:{i:02x}"


def rows():
    for transport, peers in (("memif", ("ovs", None)), ("vhost", ("ovs", None)), ("veth", ("bridge",))):
        for peer in peers:
            for frame in (60, 1514):
                yield PeerRow(peer, transport, frame)
            yield PeerRow(peer, transport, 60, sinks=3, traffic=("--broadcast",))
