#!/usr/bin/env python3
"""Apache Kafka for tests, on free ports of the loopback and in a folder of its own, gone with the test.

    with kafka_server.kafka() as server:
        server.topic("orders", 6)
        server.address                       # 127.0.0.1:PORT, for bootstrap.servers
        server.crash(); server.start()
        server.tool("consumer.ConsoleConsumer", "--topic", "orders", "--from-beginning", "--max-messages", "1")

    tests/process/kafka_server.py bring          fetches its jars
    tests/process/kafka_server.py COMMAND …      runs a command with a server beside it, named by JUMUN_TEST_KAFKA; its process is named in
                                                 the file JUMUN_TEST_KAFKA_PID, and whoever sends SIGUSR1 to JUMUN_TEST_KAFKA_KEEPER
                                                 has it killed and started again
"""
import base64
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KAFKA_POM = Path(__file__).with_name("kafka.pom.xml")
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or Path(__file__).resolve().parents[2] / "target").resolve()


def quiet_ports(count):
    """Free ports below the ephemeral ones: no client's port takes one while the server is away, not even that of a client calling it."""
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            port = random.randrange(20000, 32000)
            probe = held.enter_context(socket.socket())
            # as the server does: what a killed one left in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
        return ports


class Kafka:
    """An Apache Kafka made for the occasion: one process, broker and controller in one (KRaft), from its published jars."""

    # One compiler tier and no garbage collector's threads: a test's server lives for seconds. No JVM's own warnings in a tool's output.
    FLAGS = ["-Xms64m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xlog:disable"]
    SETTINGS = """
process.roles=broker,controller
node.id=1
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{other}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{other}
log.dirs={folder}/data
auto.create.topics.enable=false
# there is no other broker
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# small
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
# prompt: after a crash the controller takes the broker back only when its old session is over (9 s), and the broker asks every 2 s
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""

    def __init__(self, folder):
        self.jars, self.folder, self.process = self.bring(), Path(folder), None
        self.log, self.settings = self.folder / "log", self.folder / "server.properties"
        self.port, other = quiet_ports(2)
        self.settings.write_text(self.SETTINGS.format(port=self.port, other=other, folder=self.folder))
        # as StorageTool random-uuid makes one; never with a dash in front, which would be an option
        cluster = base64.urlsafe_b64encode(b"j" + os.urandom(15)).decode().rstrip("=")
        self.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self.settings))

    @classmethod
    def bring(cls):
        """The folder with the jars: JUMUN_KAFKA_JARS, or one below the target folder, made anew when the list of jars changed."""
        given = os.environ.get("JUMUN_KAFKA_JARS")
        for tool in ["java"] if given else ["java", "mvn"]:
            shutil.which(tool) or sys.exit(f"{tool} is missing; scripts/test installs it")
        if given:
            return Path(given).resolve()
        jars, wanted = TARGET / "tools/kafka", KAFKA_POM.read_bytes()
        installed = jars / "installed"
        if not installed.exists() or installed.read_bytes() != wanted:
            shutil.rmtree(jars, ignore_errors=True)
            command = ["mvn", "-q", "-B", "-f", KAFKA_POM, "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=420)
            assert done.returncode == 0, f"mvn: {done.stdout}{done.stderr}"
            installed.write_bytes(wanted)
        return jars

    @property
    def archive(self):
        """The classes of a server, as the JVM keeps them for the next ones: that halves a start. One of another JVM's is passed over."""
        return self.jars / "classes.jsa"

    def rehearse(self):
        made = self.archive.with_suffix(f".{os.getpid()}")
        self.start(f"-XX:ArchiveClassesAtExit={made}")
        self.stop()
        made.replace(self.archive)

    def command(self, *words):
        shared = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive.exists() else []
        return ["java", *self.FLAGS, *shared, "-cp", ":".join(map(str, sorted(self.jars.glob("*.jar")))), *words]

    def java(self, *words, given="", seconds=60):
        command = self.command("-Dorg.apache.logging.log4j.level=OFF", *words)  # it would log to the standard output
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, input=given, timeout=seconds)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def tool(self, name, *words, given="", seconds=60):
        """What one of Kafka's own tools prints, named below org.apache.kafka.tools; `given` is its standard input."""
        return self.java(f"org.apache.kafka.tools.{name}", "--bootstrap-server", self.address, *words, given=given, seconds=seconds)

    def topic(self, name, partitions=1):
        self.tool("TopicCommand", "--create", "--topic", name, "--partitions", str(partitions), "--replication-factor", "1")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, *flags, seconds=60):
        with open(self.log, "ab") as log:
            before = log.tell()
            command = self.command(*flags, "-Dorg.apache.logging.log4j.level=INFO", "kafka.Kafka", str(self.settings))
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        (self.folder / "pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + seconds
        # it says so when the controller has let the broker in and its port is open
        while "Kafka Server started" not in (said := self.log.read_bytes()[before:].decode(errors="replace")):
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.crash()
                why = f"not ready within {seconds} s" if ended is None else f"ended with {ended}"
                raise AssertionError(f"Kafka {why}: {said[-5000:]}")
            time.sleep(0.05)

    def stop(self, seconds=30):
        """SIGTERM. What is not gone in time is killed, and is a failure."""
        self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.crash()
            raise AssertionError(f"Kafka did not stop within {seconds} s of SIGTERM") from None
        assert code == 128 + signal.SIGTERM, f"Kafka answered SIGTERM with exit code {code}"

    def crash(self):
        """SIGKILL: it recovers at its next start."""
        self.process.kill()
        self.process.wait()

    def version(self):
        """As its AppInfo says it at every start."""
        return re.findall(r"Kafka version: (\S+)", self.log.read_text(errors="replace"))[-1]


@contextlib.contextmanager
def kafka():
    # SIGTERM becomes an exception, so that the server is stopped then too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped from outside"))
    with tempfile.TemporaryDirectory(prefix="jumun-kafka-") as folder:
        server = Kafka(folder)
        try:
            if not server.archive.exists():
                server.rehearse()
            server.start()
            yield server
        finally:
            if server.process:
                server.crash()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1:] == ["bring"]:
        print(Kafka.bring())
        sys.exit()
    with kafka() as server:
        signal.signal(signal.SIGUSR1, lambda *_: (server.crash(), server.start()))
        named = {
            "JUMUN_TEST_KAFKA": server.address,
            "JUMUN_TEST_KAFKA_VERSION": server.version(),
            "JUMUN_TEST_KAFKA_KEEPER": str(os.getpid()),
            "JUMUN_TEST_KAFKA_PID": str(server.folder / "pid"),
        }
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **named}).returncode)
