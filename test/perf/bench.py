"""The comparison with nginx and HAProxy. Run by tools/bench; see README.md here."""
import argparse
import collections
import json
import os
import re
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../support")))
import proxies  # noqa: E402
import tokens  # noqa: E402
from harness.client import get, readResponse, requestBytes  # noqa: E402
from harness.process import Process, Scratch, waitFor  # noqa: E402
from harness.upstream import freePort  # noqa: E402

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")

# name -> (kind of listener, connections, path or number of routes to spread over, method, headers, routes configured). `token`: with one in
# `authorization`. `only`: these proxies; the others are not set up for it.
SCENARIOS = {
    "h1-1k": dict(kind="plain", path="/1024"),
    "h1-10k": dict(kind="plain", path="/10240"),
    "h1-100k": dict(kind="plain", path="/102400"),
    "h1-close": dict(kind="plain", path="/1024", headers={"Connection": "close"}),
    "h1-post": dict(kind="plain", path="/1024", body=102400),
    "rr4": dict(kind="rr", path="/1024"),
    "rr4-guarded": dict(kind="guarded", path="/1024"),
    "chain": dict(kind="chain", spread=proxies.ROUTES_IN_CHAIN),
    "routes-10": dict(kind="routes", spread=10, routes=10),
    "routes-1k": dict(kind="routes", spread=1000, routes=1000),
    "routes-10k": dict(kind="routes", spread=10000, routes=10000),
    "https-1k": dict(kind="https", path="/1024"),
    "tls-full": dict(kind="https", tool="tls-full"),
    "tls-resume": dict(kind="https", tool="tls-resume"),
    "h2-1k": dict(kind="https", path="/1024", tool="h2load", streams=32),
    "ws-64": dict(kind="ws", tool="tunnel"),
    "grpc": dict(kind="grpc", path="/bench.Echo/Unary", tool="h2load", streams=32, grpc=True),
    "tcp-1k": dict(kind="tcp", path="/1024"),
    "cache-1k": dict(kind="cached", path="/1024"),
    "gzip-10k": dict(kind="gzip", path="/json/10240", headers={"Accept-Encoding": "gzip"}),
    "guards": dict(kind="guards", path="/1024", headers={"Origin": "https://app.bench.test"}, only=["sluice"]),
    "lua": dict(kind="lua", path="/1024", only=["sluice"]),
    "jwt": dict(kind="jwt", path="/1024", token=True, only=["sluice"]),
    "jwt-verify": dict(kind="verify", path="/1024", token=True, only=["haproxy", "sluice"]),
    "api-key": dict(kind="keys", path="/1024", headers={"X-Api-Key": proxies.keyOf(4711)}, only=["sluice"]),
    "transcode": dict(kind="transcode", path="/v1/echo?text=" + "x" * 62, tool="h2load", streams=32, only=["sluice"]),
}
H2_CONNECTIONS = 8
# Its frame, and a field `text` (1) of 62 bytes.
GRPC_MESSAGE = b"\0\0\0\0\x40\x0a\x3e" + b"x" * 62

LUA = """
local requests, next_one = {}, 0
function init()
  local headers = %(headers)s
  local body = %(body)d > 0 and string.rep("x", %(body)d) or nil
  for i = 0, math.max(1, math.min(%(spread)d, 1000)) - 1 do
    local path = %(spread)d > 0 and string.format("/svc%%d/1024", math.floor(i * %(spread)d / math.min(%(spread)d, 1000))) or "%(path)s"
    requests[#requests + 1] = wrk.format(body and "POST" or "GET", path, headers, body)
  end
end
function request()
  next_one = next_one %% #requests + 1
  return requests[next_one]
end
"""

Sample = collections.namedtuple("Sample", "cpu_us rate p50_ms p99_ms errors core")


def cpuTicks(pid):
    """CPU ticks of a process and its children that live."""
    total = 0
    for entry in [pid, *childrenOf(pid)]:
        with open(f"/proc/{entry}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total


def childrenOf(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found


def proportionalMemory(pid):
    """Pss in bytes of a process and its children."""
    total = 0
    for entry in [pid, *childrenOf(pid)]:
        with open(f"/proc/{entry}/smaps_rollup") as file:
            total += int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024
    return total


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)$", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


class Bench:
    def __init__(self, options):
        self.options = options
        self.scenarios = options.scenarios or list(SCENARIOS)
        self.scratch = Scratch()
        self.upstreams = [freePort() for _ in range(4)]
        self.origin = Process([options.origin, *map(str, self.upstreams)], self.scratch, "origin", pinned_to={1})
        waitFor(lambda: "ready" in self.origin.log(), "the origin")
        self.certificate = self.makeCertificate()
        self.token_key = tokens.SigningKey(self.scratch)
        self.grpc_upstream = freePort()
        self.startGrpcUpstream()

    def makeCertificate(self):
        """ECDSA P-256, key and certificate in one file."""
        path = self.scratch.join("bench.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
            + ["-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test", "-keyout", path, "-out", path + ".crt"],
            check=True,
            capture_output=True,
        )
        with open(path, "a") as both, open(path + ".crt") as certificate:
            both.write(certificate.read())
        return path

    def startGrpcUpstream(self):
        """nghttpd: answers any call over HTTP/2 with one message, of one field, and trailers."""
        root = self.scratch.join("grpc")
        os.makedirs(os.path.join(root, "bench.Echo"))
        with open(os.path.join(root, "bench.Echo", "Unary"), "wb") as file:
            file.write(GRPC_MESSAGE)
        command = ["nghttpd", "--no-tls", "-d", root, "--trailer=grpc-status: 0", str(self.grpc_upstream)]
        self.nghttpd = Process(command, self.scratch, "nghttpd", pinned_to={1})

    def startProxy(self, name, kind="plain", routes=10, wrapper=()):
        ports = {each: freePort() for each in proxies.KINDS}
        setting = proxies.Setting(
            self.scratch, ports, self.upstreams, kind, routes, self.certificate, self.token_key, self.grpc_upstream, wrapper
        )
        process = proxies.START[name](setting)

        def ready():
            process.mustRun()
            return get(ports["plain"], "/1024").status == 200

        waitFor(ready, f"{name} to serve", 30)
        return process, ports

    def load(self, port, scenario, seconds):
        """The scenario's tool on core 1; (requests, p50 ms, p99 ms, errors)."""
        tool = scenario.get("tool", "wrk")
        if tool == "wrk":
            return self.loadWrk(port, scenario, seconds)
        if tool == "h2load":
            return self.loadH2(port, scenario, seconds)
        text = self.run([self.options.load, tool, str(port), str(seconds), str(self.options.connections)])
        done = re.search(r"(\d+) done in [\d.]+ s, (\d+) errors, (\d+) resumed, ([\d.]+) ms p50, ([\d.]+) ms p99", text)
        requests, errors, resumed = map(int, done.groups()[:3])
        if tool == "tls-resume":  # the first connection of each place cannot
            errors += max(0, requests - resumed - 2 * self.options.connections)
        return requests, float(done.group(4)), float(done.group(5)), errors

    def run(self, command):
        run = subprocess.run(["taskset", "-c", "1", *command], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{command[0]}: {run.stdout}{run.stderr}")
        return run.stdout

    def grpcOptions(self):
        """Of h2load, for calls with one small message."""
        body = self.scratch.write("message", GRPC_MESSAGE.decode())
        return ["-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers"]

    def loadH2(self, port, scenario, seconds):
        command = ["h2load", "-c", str(H2_CONNECTIONS), "-m", str(scenario["streams"]), "-D", str(seconds)]
        scheme = "https" if scenario["kind"] == "https" else "http"
        if scenario.get("grpc"):
            command += self.grpcOptions()
        text = self.run([*command, f"{scheme}://127.0.0.1:{port}{scenario['path']}"])
        _, succeeded, failed = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", text).groups()
        mean = milliseconds(re.search(r"time for request:\s+\S+\s+\S+\s+(\S+)", text).group(1))
        return int(succeeded), mean, 0, int(failed)

    def headersOf(self, scenario):
        token = {"Authorization": "Bearer " + self.token_key.token()} if scenario.get("token") else {}
        return {**scenario.get("headers", {}), **token}

    def loadWrk(self, port, scenario, seconds):
        headers = "{" + ", ".join(f'["{name}"]="{value}"' for name, value in self.headersOf(scenario).items()) + "}"
        lua = LUA % {
            "headers": headers,
            "body": scenario.get("body", 0),
            "spread": scenario.get("spread", 0),
            "path": scenario.get("path", "/"),
        }
        script = self.scratch.write("load.lua", lua)
        run = subprocess.run(
            ["taskset", "-c", "1", "wrk", "-t", "1", "-c", str(self.options.connections), "-d", f"{seconds}s", "--latency"]
            + ["-s", script, f"{'https' if scenario['kind'] == 'https' else 'http'}://127.0.0.1:{port}/"],
            capture_output=True,
            text=True,
        )
        done = re.search(r"(\d+) requests in ([\d.]+)(m?s|m)", run.stdout)
        if not done:
            raise RuntimeError(f"wrk: {run.stdout}{run.stderr}")
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", run.stdout)
        socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", run.stdout)
        errors = int(bad.group(1)) if bad else 0
        if socket_errors and "Connection" not in scenario.get("headers", {}):
            errors += sum(map(int, socket_errors.groups()))
        percentile = {name: milliseconds(value) for name, value in re.findall(r"^\s+(50|99)%\s+(\S+)", run.stdout, re.M)}
        return int(done.group(1)), percentile.get("50", 0), percentile.get("99", 0), errors

    def sample(self, name, scenario):
        process, ports = self.startProxy(name, scenario["kind"], scenario.get("routes", 10))
        try:
            port = ports[scenario["kind"]]
            self.load(port, scenario, 1)
            before, began = cpuTicks(process.pid), time.monotonic()
            requests, p50, p99, errors = self.load(port, scenario, self.options.seconds)
            used, elapsed = (cpuTicks(process.pid) - before) * TICK_US, time.monotonic() - began
            return Sample(used / requests, requests / self.options.seconds, p50, p99, errors, used / 1e6 / elapsed)
        finally:
            self.stopProxy(process)

    def stopProxy(self, process):
        children = childrenOf(process.pid)
        process.kill()
        for child in children:
            try:
                os.kill(child, 9)
            except ProcessLookupError:
                pass

    def compare(self):
        samples = collections.defaultdict(list)
        for turn in range(self.options.rounds):
            for scenario in self.scenarios:
                for name in self.options.proxies:
                    if name not in SCENARIOS[scenario].get("only", self.options.proxies):
                        continue
                    sample = self.sample(name, SCENARIOS[scenario])
                    samples[scenario, name].append(sample)
                    print(
                        f"round {turn + 1} {scenario} {name}: {sample.cpu_us:.2f} us/request, {sample.rate:.0f}/s, "
                        f"{sample.errors} errors, {sample.core:.0%} of the core",
                        file=sys.stderr,
                        flush=True,
                    )
        self.printTable(samples)
        if self.options.json:
            with open(self.options.json, "w") as file:
                for (scenario, name), taken in samples.items():
                    for sample in taken:
                        file.write(json.dumps({"scenario": scenario, "proxy": name, **sample._asdict()}) + "\n")
        return 1 if any(sample.errors for taken in samples.values() for sample in taken) else 0

    def printTable(self, samples):
        names = self.options.proxies
        print("Proxy CPU, us per request (ratio to nginx); requests/s; p99 ms. Median of", self.options.rounds)
        print(f"{'scenario':12}" + "".join(f"{name:>34}" for name in names))
        for scenario in self.scenarios:
            middle = {
                name: Sample(*(statistics.median(values) for values in zip(*samples[scenario, name])))
                for name in names
                if (scenario, name) in samples
            }
            base = middle["nginx"].cpu_us if "nginx" in middle else None
            row = f"{scenario:12}"
            for name in names:
                if name not in middle:
                    row += f"{'-':>34}"
                    continue
                one = middle[name]
                ratio = f" ({one.cpu_us / base:.2f})" if base else ""
                errors = f" {one.errors:.0f} ERRORS" if one.errors else ""
                row += f"{f'{one.cpu_us:.2f}{ratio} {one.rate:.0f}/s {one.p99_ms:.2f}{errors}':>34}"
            print(row)

    def idle(self, kind="plain"):
        """Bytes of proxy memory for each idle keep-alive connection that has had one answer."""
        count = self.options.idle_connections
        context = ssl.create_default_context(cafile=self.certificate)
        context.check_hostname = False
        for name in self.options.proxies:
            process, ports = self.startProxy(name, kind)
            self.load(ports[kind], SCENARIOS["https-1k" if kind == "https" else "h1-1k"], 1)
            before = proportionalMemory(process.pid)
            connections = []
            for _ in range(count):
                sock = socket.create_connection(("127.0.0.1", ports[kind]), 10)
                if kind == "https":
                    sock = context.wrap_socket(sock)
                sock.sendall(requestBytes("GET", "/1024"))
                if readResponse(sock).status != 200:
                    raise RuntimeError(f"{name} did not answer connection {len(connections)}")
                connections.append(sock)
            used = proportionalMemory(process.pid) - before
            print(f"{name:10} {used / count:8.0f} bytes per idle connection ({count} held, {used / 2**20:.1f} MiB)", flush=True)
            for sock in connections:
                sock.close()
            self.stopProxy(process)
        return 0

    def stop(self):
        self.origin.kill()
        self.nghttpd.kill()
        self.scratch.remove()


def names(known):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return chosen

    return parse


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["compare", "idle", "idle-tls", "instructions", "swap"], default="compare")
    parser.add_argument("--origin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--load", required=True, help=argparse.SUPPRESS)
    parser.add_argument("-p", "--proxies", type=names(proxies.START), default=["nginx", "haproxy", "sluice"])
    parser.add_argument("-s", "--scenarios", type=names(SCENARIOS), help="default: all; of instructions: those that it is kept for")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("-d", "--seconds", type=int, default=4, help="of each sample")
    parser.add_argument("-c", "--connections", type=int, default=64)
    parser.add_argument("--idle-connections", type=int, default=5000)
    parser.add_argument("--edits", type=int, default=50, help="of swap")
    parser.add_argument("-o", "--json", help="write every sample to this file, one JSON object a line")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if os.cpu_count() < 2:
        parser.error("needs two cores")
    for tool in ("wrk", "h2load", "nghttpd", "openssl", "taskset", *[name for name in options.proxies if name != "sluice"]):
        if shutil.which(tool) is None:
            parser.error(f"{tool} is not on PATH")
    if options.command == "swap":
        import swap

        return swap.run(options.edits)
    bench = Bench(options)
    try:
        if options.command == "compare":
            return bench.compare()
        if options.command == "instructions":
            import instructions

            return instructions.run(bench, options.scenarios or instructions.SCENARIOS, SCENARIOS)
        return bench.idle("https" if options.command == "idle-tls" else "plain")
    finally:
        bench.stop()


if __name__ == "__main__":
    sys.exit(main())
