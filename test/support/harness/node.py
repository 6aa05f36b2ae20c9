"""Programs of test/support/node, and the packages that they need."""
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness.process import TOP, Process, waitFor

FOLDER = os.path.join(TOP, "test/support/node")
# What npm says when there is no registry for it here. Anything else that goes wrong is a failure.
UNREACHABLE = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|E?TIMEDOUT|ERR_SOCKET_TIMEOUT|E40[134])\b")


@functools.lru_cache(None)
def packages():
    """The folder of packages that package-lock.json names, by its checksums. Installed once for each content of the
    file; skips the test where npm reaches no registry."""
    with open(os.path.join(FOLDER, "package-lock.json"), "rb") as file:
        content = hashlib.sha256(file.read()).hexdigest()[:16]
    cache = os.path.join(os.path.expanduser("~"), ".cache/sluice-node")
    # Modules find each other by the name of this folder.
    installed = os.path.join(cache, content, "node_modules")
    if not os.path.isdir(installed):
        assert shutil.which("npm"), "npm is not installed: run tools/setup test"
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as parent:
            scratch = os.path.join(parent, content)
            os.mkdir(scratch)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(os.path.join(FOLDER, name), scratch)
            run = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000"],
                cwd=scratch,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
            )
            if run.returncode != 0 and (why := UNREACHABLE.search(run.stderr)):
                raise unittest.SkipTest(f"npm reaches no registry that has the packages of test/support/node ({why.group()})")
            assert run.returncode == 0, "npm ci failed:\n" + run.stderr
            try:
                os.rename(scratch, os.path.dirname(installed))
            except OSError:  # another run was faster
                assert os.path.isdir(installed)
    return installed


def command(script, *arguments):
    return ["node", os.path.join(FOLDER, script), *map(str, arguments)]


def environment():
    return {"NODE_PATH": packages()}


class NodeServer:
    """A server that says "port N" when it serves."""

    def __init__(self, scratch, script, *arguments):
        self.process = Process(command(script, *arguments), scratch, script, env=environment())

        def port():
            self.process.mustRun()
            return re.search(r"^port (\d+)$", self.process.log(), re.MULTILINE)

        self.port = int(waitFor(port, script + " to serve").group(1))

    def log(self):
        return self.process.log()

    def stop(self):
        self.process.kill()
