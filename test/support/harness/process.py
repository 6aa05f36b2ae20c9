"""Child processes that never outlive the test, and the test case that owns them."""
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def binary(name):
    """The release binary `name`; SLUICE_BIN_DIR says where, bin/ otherwise."""
    path = os.path.join(os.environ.get("SLUICE_BIN_DIR", os.path.join(TOP, "bin")), name)
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is not there: run tools/build, or set SLUICE_BIN_DIR")
    return path


def program(name):
    """A program of test/support; SLUICE_TEST_PROGRAMS says where, Bazel's output otherwise."""
    path = os.path.join(os.environ.get("SLUICE_TEST_PROGRAMS", os.path.join(TOP, "bazel-bin/test/support")), name)
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is not there: bazel build //test/support/...")
    return path


def waitFor(condition, what, timeout=10.0):
    """Calls `condition` until it returns something true, and returns that. A connection error counts as "not yet"."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            result = condition()
        except (ConnectionError, EOFError, OSError, ValueError) as error:
            result, last = None, error
        else:
            last = None
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting for {what} after {timeout:g} s" + (f" ({last})" if last else ""))
        time.sleep(0.01)


class Scratch:
    """A temporary folder; files are replaced by rename, as a careful writer does."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="sluice-test-")

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new~", "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        os.rename(path + ".new~", path)
        return path

    def join(self, name):
        return os.path.join(self.path, name)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """A program with its output in a file. It dies with the test process, whatever way that ends."""

    def __init__(self, command, scratch, name, env=None, pinned_to=None):
        self.command = command
        self.name = name
        self.log_path = scratch.join(name + ".log")
        # Debugging a test: SLUICE_TEST_VERBOSE=1 shows what each program said.
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                preexec_fn=lambda: self._inChild(pinned_to),
            )

    @staticmethod
    def _inChild(pinned_to):
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if pinned_to is not None:
            os.sched_setaffinity(0, pinned_to)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def isRunning(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9 and reap."""
        if self.isRunning():
            self.process.kill()
        self.process.wait()

    def waitForExit(self, timeout=10.0):
        """The exit code; negative for a signal."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} is still running after {timeout:g} s; it said:\n{self.log()}") from None

    def mustRun(self):
        if not self.isRunning():
            raise AssertionError(f"{self.name} ended with {self.process.returncode}; it said:\n{self.log()}")


class SluiceTestCase(unittest.TestCase):
    """Owns a scratch folder and everything started through start(): stopped and removed at the end of each test.

    A failing test prints what its programs said.
    """

    def setUp(self):
        self.scratch = Scratch()
        self.started = []
        self.addCleanup(self._cleanUp)

    def start(self, thing):
        """Hands `thing` (anything with stop()) to the test case; returns it."""
        self.started.append(thing)
        return thing

    def _cleanUp(self):
        for thing in reversed(self.started):
            thing.stop()
        failed = not getattr(getattr(self, "_outcome", None), "success", True)
        if failed or os.environ.get("SLUICE_TEST_VERBOSE"):
            for name in sorted(os.listdir(self.scratch.path)):
                if name.endswith(".log"):
                    with open(self.scratch.join(name), errors="replace") as file:
                        print(f"--- {self.id()} {name}\n{file.read()[-6000:]}", flush=True)
        self.scratch.remove()
