"""`tools/bench instructions`: user-space instructions of sluice for each request, counted by valgrind's callgrind.

Repeatable where clocks are not: the same binary and scenario give the same figure within 1%, whatever else the machine does. A run with
few requests is subtracted from one with many, so that starting and stopping do not count.
"""
import re
import signal

FEW, MANY = 500, 4500
SCENARIOS = ("h1-1k", "chain", "https-1k", "h2-1k", "cache-1k", "guards", "lua", "jwt", "api-key", "grpc", "transcode")


def run(bench, scenarios, known):
    for name in scenarios:
        few, many = (count(bench, known[name], requests) for requests in (FEW, MANY))
        print(f"{name:10} {(many - few) / (MANY - FEW):8.0f} instructions a request", flush=True)
    return 0


def count(bench, scenario, requests):
    """Instructions of a whole run of the proxy that serves this many requests."""
    profile = bench.scratch.join("callgrind")
    valgrind = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}")
    process, ports = bench.startProxy("sluice", scenario["kind"], wrapper=valgrind)
    text = bench.run(command(bench, scenario, ports[scenario["kind"]], requests))
    succeeded = int(re.search(r"(\d+) succeeded", text).group(1))
    process.signal(signal.SIGTERM)
    process.waitForExit(60)
    if succeeded != requests:
        raise RuntimeError(f"{requests - succeeded} of {requests} requests failed: {text}")
    with open(profile) as file:
        return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M).group(1))


def command(bench, scenario, port, requests):
    h2 = scenario.get("tool") == "h2load"
    streams = ["-m", str(scenario["streams"])] if h2 else ["--h1"]
    headers = [word for name, value in bench.headersOf(scenario).items() for word in ("-H", f"{name}: {value}")]
    if scenario.get("grpc"):
        headers += bench.grpcOptions()
    spread = scenario.get("spread", 0)
    paths = [f"/svc{route}/1024" for route in range(spread)] if spread else [scenario["path"]]
    scheme = "https" if scenario["kind"] == "https" else "http"
    urls = bench.scratch.write("urls", "".join(f"{scheme}://127.0.0.1:{port}{path}\n" for path in paths))
    return ["h2load", "-n", str(requests), "-c", "8", *streams, *headers, "-i", urls]
