#!/usr/bin/python3
"""Moves a canary under load and counts what the clients saw. `tools/quickstart` builds the programs and runs this.

    canary.py [--once] [--rate 800] [--step-s 5]

The files are those of this folder, copied to a scratch directory; a port that is taken is replaced by a free one.
Exits 0 when no request failed and every split was within 3 points of its weights.
"""
import argparse
import os
import re
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness.client import get  # noqa: E402
from harness.process import Process, Scratch, binary, waitFor  # noqa: E402
from harness.traffic import PYTHON, LoadRun  # noqa: E402
from harness.upstream import freePort  # noqa: E402

STEPS = [(90, 10), (50, 50), (0, 100)]
TOLERANCE_POINTS = 3.0
PORTS = {"v1": 8081, "v2": 8082, "proxy": 10000, "admin": 9901, "xds": 18000, "http": 18001}


def freePorts():
    """The ports of the README, or others where those are taken."""
    chosen = {}
    for name, port in PORTS.items():
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
                chosen[name] = port
            except OSError:
                chosen[name] = freePort()
    return chosen


class Demonstration:
    def __init__(self, options):
        self.options = options
        self.scratch = Scratch()
        self.ports = freePorts()
        self.processes = []
        self.load = None

    def copy(self, name):
        """A file of this folder into the scratch directory, with the ports in use here."""
        with open(os.path.join(HERE, name)) as file:
            text = file.read()
        by_number = {str(number): str(self.ports[port]) for port, number in PORTS.items()}
        return self.scratch.write(name, re.sub(r"(?<=port_value: )\d+", lambda m: by_number[m.group()], text))

    def run(self, name, *command):
        process = Process(list(command), self.scratch, name)
        self.processes.append(process)
        return process

    def answers(self, port, path="/"):
        for process in self.processes:
            process.mustRun()
        return get(port, path).status == 200

    def start(self):
        for version in ("v1", "v2"):
            self.run(
                f"service-{version}", PYTHON, os.path.join(HERE, "service.py"), "--version", version, "--listen",
                f"127.0.0.1:{self.ports[version]}",
            )  # fmt: skip
        for version in ("v1", "v2"):
            waitFor(lambda: self.answers(self.ports[version]), f"service {version}", 20)
        for name in sorted(os.listdir(os.path.join(HERE, "resources"))):
            self.copy("resources/" + name)
        self.run(
            "sluice-control", binary("sluice-control"), "--config", self.scratch.join("resources"), "--listen",
            f"127.0.0.1:{self.ports['xds']}", "--http", f"127.0.0.1:{self.ports['http']}",
        )  # fmt: skip
        waitFor(lambda: self.answers(self.ports["http"], "/api/v1/status"), "sluice-control", 20)
        self.run("sluice", binary("sluice"), "-c", self.copy("sluice.yaml"))
        waitFor(lambda: self.answers(self.ports["proxy"]), "the first answer through sluice", 20)
        print(f"proxy          http://127.0.0.1:{self.ports['proxy']}/")
        print(f"proxy admin    http://127.0.0.1:{self.ports['admin']}/")
        print(f"control plane  http://127.0.0.1:{self.ports['http']}/api/v1/status (xDS on {self.ports['xds']})")
        print(f"configuration  {self.scratch.join('resources')}", flush=True)
        self.load = LoadRun(f"127.0.0.1:{self.ports['proxy']}", self.options.rate, "get=1", connections=32)

    def setWeights(self, v1, v2):
        """Writes the routes anew and renames them into place."""
        path = self.scratch.join("resources/routes.yaml")
        with open(path) as file:
            text = file.read()
        for name, weight in (("demo-v1", v1), ("demo-v2", v2)):
            text = re.sub(rf"(name: {name}, weight: )\d+", rf"\g<1>{weight}", text)
        self.scratch.write("resources/routes.yaml", text)

    def measure(self, seconds):
        """(share of v1 in percent, share of v2, requests) over so many seconds."""
        self.load.report()
        time.sleep(seconds)
        report = self.load.report()
        answered = sum(report["versions"].values()) or 1
        return [100.0 * report["versions"].get(version, 0) / answered for version in ("v1", "v2")] + [report["requests"]]

    def step(self, v1, v2):
        """One step of the canary; whether the split was right."""
        self.setWeights(v1, v2)
        deadline = time.monotonic() + 10
        while abs(self.measure(0.25)[0] - v1) > 2 * TOLERANCE_POINTS and time.monotonic() < deadline:
            pass
        seen_v1, seen_v2, requests = self.measure(self.options.step_s)
        print(f"step {v1}/{v2}: v1 {seen_v1:.1f}% v2 {seen_v2:.1f}% ({requests} requests)", flush=True)
        return max(abs(seen_v1 - v1), abs(seen_v2 - v2)) <= TOLERANCE_POINTS

    def moveCanary(self):
        """All steps; the exit code. The load stops only with --once."""
        right = [self.step(*weights) for weights in STEPS]
        counts = self.load.finish()
        print(f"{counts['requests']} requests, {counts['failed']} failed", flush=True)
        for reason, number in counts["failures"].items():
            print(f"  {number} times: {reason}", file=sys.stderr)
        if not all(right):
            print(f"a split was more than {TOLERANCE_POINTS:g} points off its weights", file=sys.stderr)
        return 0 if all(right) and counts["failed"] == 0 and counts["requests"] > 0 else 1

    def waitForever(self):
        """Keeps everything up, the load too, until Ctrl-C."""
        self.load = LoadRun(f"127.0.0.1:{self.ports['proxy']}", self.options.rate, "get=1", connections=32)
        print("Everything is running; change the weights in routes.yaml and watch. Ctrl-C ends it.", flush=True)
        signal.pause()

    def stop(self, tell_logs):
        if self.load is not None:
            self.load.stop()
        for process in reversed(self.processes):
            if tell_logs:
                print(f"--- {process.name}\n{process.log()[-3000:]}", file=sys.stderr)
            process.kill()
        self.scratch.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="end after the last step")
    parser.add_argument("--rate", type=float, default=800, help="requests a second")
    parser.add_argument("--step-s", type=float, default=5, help="seconds measured at each step")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demonstration = Demonstration(options)
    code = 1
    try:
        demonstration.start()
        code = demonstration.moveCanary()
        if not options.once:
            demonstration.waitForever()
    except AssertionError as error:
        print(f"quickstart: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        pass
    finally:
        demonstration.stop(tell_logs=code == 1 and options.once)
    return code


if __name__ == "__main__":
    sys.exit(main())
