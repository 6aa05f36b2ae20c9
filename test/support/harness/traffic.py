"""origin.py and load.py as processes of a test."""
import json
import os
import subprocess

from harness.process import Process, waitFor

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"


class Origin(Process):
    count = 0

    def __init__(self, scratch, version="v1", port=0):
        Origin.count += 1
        command = [PYTHON, os.path.join(HERE, "origin.py"), "--version", version, "--listen", f"127.0.0.1:{port}"]
        super().__init__(command, scratch, f"origin-{Origin.count}")
        self.port = int(waitFor(lambda: self.log().strip(), "the origin to listen").splitlines()[0])

    def stop(self):
        self.kill()


class LoadRun:
    """Load in a child process, from construction to finish()."""

    def __init__(self, target, rate, mix, **options):
        command = [PYTHON, os.path.join(HERE, "load.py"), "--target", target, "--rate", str(rate), "--mix", mix]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: Process._inChild(None)
        )

    def report(self):
        """Counts since the last report."""
        return self._ask("report")

    def finish(self):
        """Stops the load and returns the counts of the whole run."""
        counts = self._ask("quit")
        self.stop()
        return counts

    def _ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the load generator ended with {self.process.wait()}")
        return json.loads(line)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
