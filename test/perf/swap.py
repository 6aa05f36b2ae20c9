"""Time from the rename of a file in the control plane's folder to effect in traffic."""
import json
import os
import statistics
import time

from harness import config
from harness.ads import CLUSTER, LISTENER, ROUTE
from harness.client import get, rawConnection, readResponse, reader, requestBytes
from harness.process import Scratch, waitFor
from harness.sluice import Control, Sluice
from harness.upstream import HttpUpstream, freePort


def document(port, upstream, mark):
    table = config.routeConfig("routes", [config.route("up")])
    table["response_headers_to_add"] = [{"header": {"key": "x-mark", "value": str(mark)}}]
    rds = {"route_config_name": "routes", "config_source": {"ads": {}, "resource_api_version": "V3"}}
    typed = [
        (LISTENER, config.httpListener("main", rds=rds, address=config.socketAddress(port))),
        (CLUSTER, config.cluster("up", upstream)),
        (ROUTE, table),
    ]
    return json.dumps({"resources": [{"@type": type_url, **item} for type_url, item in typed]})


def run(edits):
    scratch, started = Scratch(), []
    try:
        upstream = HttpUpstream()
        started.append(upstream)
        port = freePort()
        os.mkdir(scratch.join("config"))
        publish = lambda mark: scratch.write("config/all.json", document(port, upstream.port, mark))  # noqa: E731
        publish(0)
        control = Control(scratch, scratch.join("config"))
        started.append(control)
        started.append(Sluice(scratch, config.xdsBootstrap(control.xds_port), wait=False))
        waitFor(lambda: get(port).status == 200, "the first answer", 20)

        delays = []
        with rawConnection(port) as sock:
            source = reader(sock)
            for mark in range(1, edits + 1):
                text = document(port, upstream.port, mark)
                new = scratch.join("config/.next")
                with open(new, "w") as file:
                    file.write(text)
                began = time.monotonic()
                os.rename(new, scratch.join("config/all.json"))
                while True:
                    sock.sendall(requestBytes("GET", "/"))
                    response = readResponse(source)
                    if response.status != 200:
                        raise RuntimeError(f"a request was answered {response.status} during edit {mark}")
                    if response.header("x-mark") == str(mark):
                        break
                    if time.monotonic() - began > 10:
                        raise RuntimeError(f"edit {mark} is not in effect after 10 s")
                delays.append((time.monotonic() - began) * 1000)
                time.sleep(0.02)
        delays.sort()
        print(
            f"rename to effect: median {statistics.median(delays):.1f} ms, p90 {delays[int(len(delays) * 0.9)]:.1f} ms, "
            f"slowest {delays[-1]:.1f} ms ({edits} edits)"
        )
        return 0
    finally:
        for thing in reversed(started):
            thing.stop()
        scratch.remove()
