# A ZooKeeper server of the benchmark's own, as cluster/up starts one.
import os
import shutil
import socket

from processes import NotThere, Process

JARS = "/usr/share/java"
SETTINGS = """tickTime=500
initLimit=10
syncLimit=5
dataDir={home}/data
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr
"""


class ZooKeeper:
    """Runs as long as its `with` does; begins empty."""

    def __init__(self, bench, port):
        self.port, self.home, self.log = port, bench.path("zookeeper"), bench.path("zookeeper.log")

    def __enter__(self):
        if not shutil.which("java") or not os.path.exists(f"{JARS}/zookeeper.jar"):
            raise NotThere("there is no ZooKeeper here (cluster/up installs it)")
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(os.path.join(self.home, "data"))
        with open(os.path.join(self.home, "zoo.cfg"), "w", encoding="utf-8") as file:
            file.write(SETTINGS.format(home=self.home, port=self.port))
        path = ":".join([self.home, *(f"{JARS}/{jar}.jar" for jar in ("zookeeper", "slf4j-log4j12", "log4j-1.2"))])
        self.process = Process(
            ["java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path,
             "org.apache.zookeeper.server.quorum.QuorumPeerMain", os.path.join(self.home, "zoo.cfg")], self.log, processors=None)
        self.process.await_that(self.serves, pause=0.05)
        return f"127.0.0.1:{self.port}"

    def __exit__(self, *_):
        self.process.stop()

    def serves(self):
        """A server that serves answers "srvr" with its mode."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as each:
                each.sendall(b"srvr")
                text = b""
                while piece := each.recv(4_096):
                    text += piece
                return b"Mode: " in text
        except OSError:
            return False
