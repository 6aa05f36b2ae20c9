"""An upstream that closes idle connections at random around the proxy's own idle timer: no GET notices, no POST is doubled.

SLUICE_RACE_GETS and SLUICE_RACE_POSTS set how many (10,000 and 2,500), SLUICE_SEED what is drawn. The long run:

    SLUICE_RACE_GETS=200000 SLUICE_RACE_POSTS=50000 /usr/bin/python3 test/integration/test_keepalive_race.py
"""
import asyncio
import collections
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.load import Connection  # noqa: E402

GETS = int(os.environ.get("SLUICE_RACE_GETS", "10000"))
POSTS = int(os.environ.get("SLUICE_RACE_POSTS", "2500"))
SEED = int(os.environ.get("SLUICE_SEED", "1"))
IDLE_MS = 20  # of the proxy's connections to the upstream
CLIENTS = 48
BODY = b"b" * 100
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
ORIGIN = os.path.abspath(os.path.join(os.path.dirname(__file__), "../support/harness/closing_origin.py"))


class ClosingOrigin(Process):
    def __init__(self, scratch):
        command = [sys.executable, ORIGIN, "--seed", str(SEED)]
        command += ["--from-ms", str(IDLE_MS * 0.5), "--to-ms", str(IDLE_MS * 1.5)]
        super().__init__(command, scratch, "origin")
        self.port = int(waitFor(lambda: self.log().strip(), "the origin to listen").splitlines()[0])

    def stop(self):
        self.kill()


def requestOf(method, number):
    body = BODY if method == "POST" else b""
    length = f"content-length: {len(body)}\r\n" if body else ""
    return f"{method} / HTTP/1.1\r\nhost: x\r\nx-id: {number}\r\n{length}\r\n".encode() + body


async def run(port, work):
    """Sends the work by clients that pause at random; gives the answers' statuses by method, 0 for none."""
    statuses = {"GET": collections.Counter(), "POST": collections.Counter()}
    loop = asyncio.get_running_loop()
    random_source = random.Random(SEED)

    async def client():
        connection = None
        while work:
            method, number = work.pop()
            await asyncio.sleep(random_source.uniform(0, IDLE_MS * 2) / 1000)
            if connection is None or connection.closed:
                _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
            status, _, _, keep, _ = await asyncio.wait_for(connection.ask(requestOf(method, number)), 30)
            statuses[method][status] += 1
            if not keep:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return statuses


class KeepAliveRaceTest(SluiceTestCase):
    def test_no_get_is_answered_503_and_no_post_arrives_twice(self):
        origin = self.start(ClosingOrigin(self.scratch))
        options = {"@type": TYPE + HTTP_OPTIONS, "explicit_http_config": {"http_protocol_options": {}}}
        options["common_http_protocol_options"] = {"idle_timeout": f"{IDLE_MS / 1000}s"}
        up = cluster("up", origin.port, typed_extension_protocol_options={HTTP_OPTIONS: options})
        sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", [route("up")])], [up]), concurrency=2))
        work = [("GET", i) for i in range(GETS)] + [("POST", i) for i in range(POSTS)]
        random.Random(SEED).shuffle(work)

        statuses = asyncio.run(run(sluice.port("http"), work))

        arrivals = json.loads(get(origin.port, "/arrivals").body)
        stats = sluice.stats("cluster.up.")
        found = {"seed": SEED, "statuses": {method: dict(all) for method, all in statuses.items()}, "arrivals": arrivals,
                 "sent again": stats["cluster.up.upstream_rq_retry"]}  # fmt: skip
        print(json.dumps(found), flush=True)
        self.assertEqual(statuses["GET"], {200: GETS}, found)
        self.assertEqual(arrivals["POST"]["twice"], [], found)
        self.assertEqual(set(statuses["POST"]) - {200, 503}, set(), found)
        self.assertGreaterEqual(arrivals["POST"]["arrived"], statuses["POST"][200])
        self.assertLessEqual(arrivals["POST"]["arrived"], POSTS)
        self.assertGreater(arrivals["closed"], 0)


if __name__ == "__main__":
    unittest.main()
