# What all measurements share: folders, programs, ports, and one call of the load generator.
import json
import os
import shutil
import subprocess

from processes import GENERATOR_PROCESSOR, Failure, HostTime, NotThere, environment, prepare

RUN_SECONDS_MAX = 240


class Bench:
    def __init__(self, options):
        self.options, self.folder = options, options.folder
        # Where bench-producer and microbench are, if they are.
        self.products = options.products
        self.program, self.load, self.limit = options.binary, options.load, options.limit
        self.is_full, self.base_port = options.full, options.base_port
        os.makedirs(self.folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name.replace(" ", "-"))

    @property
    def data(self):
        return self.path("data")

    def data_folder(self, name):
        """A folder for a server's data, empty, on the disk that this measurement's folder is on. `remove_data` removes them all."""
        kind = self.output("stat", "--file-system", "--format=%T", self.folder)
        if kind in ("tmpfs", "ramfs"):
            raise NotThere(f"{self.folder} is in memory, on no disk (RINGPOST_RUN_DIRECTORY)")
        folder = os.path.join(self.data, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        return folder

    def remove_data(self):
        shutil.rmtree(self.data, ignore_errors=True)

    @staticmethod
    def output(*command):
        """What a command prints, or nothing if it can't be run."""
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment()).stdout.strip()
        except OSError:
            return ""

    def commit(self):
        here = os.path.dirname(os.path.abspath(__file__))
        changed = "+" if self.output("git", "-C", here, "status", "--porcelain", "--untracked-files=no") else ""
        return self.output("git", "-C", here, "rev-parse", "--short", "HEAD") + changed

    def pick(self, quick, full):
        return full if self.is_full else quick

    def start_load(self, options, processors=frozenset({GENERATOR_PROCESSOR}), **more):
        words = [word for name, value in {**options, **more}.items() for word in ("--" + name.replace("_", "-"), str(value))]
        return subprocess.Popen(
            [self.load, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
            preexec_fn=prepare(processors))

    def run_load(self, options, processors=frozenset({GENERATOR_PROCESSOR}), **more):
        """One run; what it says of itself, and what share of the time the machine's host took."""
        host = HostTime()
        result = self.result_of(self.start_load(options, processors, **more))
        result["stolen"] = host.share()
        return result

    def result_of(self, load):
        output, errors = load.communicate(timeout=RUN_SECONDS_MAX)
        if not output.startswith("{"):
            raise Failure(errors.strip().splitlines()[-1] if errors.strip() else f"the load generator ended with {load.returncode}")
        return json.loads(output)
