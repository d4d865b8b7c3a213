# Processes that are measured, and the system around them: how they are started on one processor and ended, and what others took meanwhile.
import ctypes
import os
import resource
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 10.0
# The server has the first processor and the load generator the second. With more than two the rest stays idle.
SERVER_PROCESSOR, GENERATOR_PROCESSOR = 0, 1


class Failure(Exception):
    """Something that a run needs has not come about; the sentence says what."""


class NotThere(Failure):
    """What it takes is not installed or not built."""


def prepare(processors):
    """What is done in the new process: its processors, as many descriptors as it may have, and an end with this script's."""

    def run():
        if processors is not None:
            os.sched_setaffinity(0, processors)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return run


def environment():
    """Settings of other nodes are none of this one's. What marks the processes of a test run stays."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_") or name == "RINGPOST_TEST_RUN"}


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(each) for each in file.read().split()]


def memory_kilobytes(pids):
    """What is resident, with a share of what other processes have too."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def answers_ok(port, path):
    """Whether GET is answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as each:
            each.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return each.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


class Process:
    """A server, from its start until `stop`. Its output goes to a file."""

    def __init__(self, command, log, processors=frozenset({SERVER_PROCESSOR})):
        self.command, self.log = command, log
        with open(log, "ab") as file:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment(), preexec_fn=prepare(processors))

    @property
    def pid(self):
        return self.child.pid

    def await_that(self, is_true, pause=0.005):
        """Waits for something with a deadline, and says what the process said if it doesn't come."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not is_true():
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                with open(self.log, "rb") as file:
                    raise Failure(f"{self.command[0]} did not start: {file.read()[-1_000:].decode(errors='replace')}")
            time.sleep(pause)

    def bytes_written_until_its_end(self):
        """Ends it. What the kernel has counted for the disk: whole pages, each time that they are handed over; nothing of sockets."""
        self.child.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        # Until somebody asks how it has ended, the kernel keeps what it knows of it.
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() > deadline:
                raise Failure(f"{self.command[0]} did not end within {STOP_SECONDS_MAX:.0f} s")
            time.sleep(0.01)
        with open(f"/proc/{self.pid}/io", encoding="ascii") as file:
            return int(next(line.split()[1] for line in file if line.startswith("write_bytes:")))

    def stop(self, is_in_order=True):
        if self.child.poll() is None and is_in_order:
            self.child.terminate()
        elif self.child.poll() is None:
            self.child.kill()
        try:
            self.child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class HostTime:
    """The share of the processors' time that the machine's host gave to others since this was made."""

    def __init__(self):
        self.stolen, self.all = self.read()

    @staticmethod
    def read():
        with open("/proc/stat", encoding="ascii") as file:
            times = [int(each) for each in file.readline().split()[1:9]]
        return times[7], sum(times)

    def share(self):
        stolen, all_of_it = self.read()
        return (stolen - self.stolen) / max(all_of_it - self.all, 1)
