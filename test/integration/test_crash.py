"""kill -9 of upstreams, of the proxy and of the control plane, and their return."""
import os
import ssl
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402
from test_hot_swap import Intent  # noqa: E402
from test_tls import Authority, downstream, secure, upstreamTls  # noqa: E402
from test_upstream_http2 import http2  # noqa: E402
from harness.upstream import freePort  # noqa: E402


class UpstreamTest(SluiceTestCase):
    def test_a_killed_upstream_costs_errors_only_while_it_is_away(self):
        origin = self.start(Origin(self.scratch))
        listeners = [httpListener("http", [route("up")])]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", origin.port)]), concurrency=2))
        port = sluice.port("http")
        load = self.start(LoadRun(f"127.0.0.1:{port}", 200, "get=1", timeout_s=3))
        waitFor(lambda: get(port).status == 200, "an answer")

        origin.kill()
        waitFor(lambda: get(port).status == 503, "the upstream to be missed")
        self.start(Origin(self.scratch, port=origin.port))
        waitFor(lambda: get(port).status == 200, "the upstream to be found again")
        load.report()
        time.sleep(1)
        after = load.report()

        self.assertEqual(after["failed"], 0, after["failures"])
        self.assertGreater(after["requests"], 50)
        sluice.mustRun()

    def test_one_dead_endpoint_of_two_never_hangs_a_request(self):
        origin = self.start(Origin(self.scratch))
        listeners = [httpListener("http", [route("up")])]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", origin.port, freePort())])))
        port = sluice.port("http")

        statuses = [get(port).status for _ in range(20)]

        self.assertEqual(set(statuses), {200, 503})


class TlsAndHttp2Test(SluiceTestCase):
    """One proxy in front of another, TLS and HTTP/2 on both hops."""

    def setUp(self):
        super().setUp()
        ca = Authority(self.scratch.join("pki"))
        ca.issue("up", "DNS:up.example")
        self.own = downstream([ca.files("up")], common={"alpn_protocols": ["h2", "http/1.1"]})
        trust = {"validation_context": {"trusted_ca": {"filename": ca.cert("ca")}}}
        self.to_up = {**http2(), "transport_socket": upstreamTls(trust, sni="up.example")}
        self.context = ssl.create_default_context(cafile=ca.cert("ca"))
        self.port, self.up_port = freePort(), freePort()
        self.up = self.startUp()
        self.front = self.startFront()

    def startUp(self):
        listener = httpListener("up", [directResponse(200, "x" * 1000)], address=config.socketAddress(self.up_port))
        return self.start(Sluice(self.scratch, bootstrap([secure(listener, self.own)], [])))

    def startFront(self):
        listener = httpListener("front", [route("up")], address=config.socketAddress(self.port))
        return self.start(Sluice(self.scratch, bootstrap([secure(listener, self.own)], [cluster("up", self.up_port, **self.to_up)])))

    def load(self, *arguments):
        return ["h2load", "-c", "4", "-m", "16", *arguments, f"https://127.0.0.1:{self.port}/"]

    def startLoad(self):
        run = Process(self.load("-D", "30"), self.scratch, "h2load")
        self.addCleanup(run.kill)
        waitFor(lambda: self.front.stat("http.front.downstream_rq_total") > 100, "load")
        return run

    def mustServeAll(self):
        out = subprocess.run(self.load("-n", "1000"), capture_output=True, text=True, timeout=30).stdout
        self.assertIn("1000 succeeded, 0 failed, 0 errored, 0 timeout", out)
        self.assertRegex(out, r"status codes: 1000 2xx")

    def handshake(self, session=None):
        """(the session was taken up again, the session to offer next time)."""
        with self.context.wrap_socket(rawConnection(self.port), server_hostname="up.example", session=session) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: up.example\r\nconnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer[:100])
            return client.session_reused, client.session

    def test_a_killed_upstream_is_found_again(self):
        load = self.startLoad()

        self.up.kill()
        waitFor(lambda: self.front.stat("http.front.downstream_rq_5xx") > 0, "the upstream to be missed")
        self.up = self.startUp()
        waitFor(self.answers, "the upstream to be found again")

        load.kill()
        self.mustServeAll()
        self.assertEqual(self.front.stat("cluster.up.upstream_cx_active"), 1)
        self.front.mustRun()

    def answers(self):
        try:
            return bool(self.handshake())
        except AssertionError:
            return False

    def test_a_killed_proxy_serves_again_and_clients_with_its_sessions_handshake_anew(self):
        _, session = self.handshake()
        self.assertTrue(self.handshake(session)[0])
        load = self.startLoad()

        self.front.kill()
        self.assertRaises(OSError, rawConnection, self.port)
        self.front = self.startFront()

        load.kill()
        self.assertFalse(self.handshake(session)[0])
        self.mustServeAll()
        self.up.mustRun()


class ControlPlaneTest(SluiceTestCase):
    def startAll(self):
        origins = {version: self.start(Origin(self.scratch, version)).port for version in ("v1", "v2")}
        self.intent = Intent(freePort(), freePort(), origins)
        os.mkdir(self.scratch.join("config"))
        self.publish()
        self.control = self.start(Control(self.scratch, self.scratch.join("config")))
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.control.xds_port), wait=False))
        waitFor(lambda: get(self.intent.port).status == 200, "the first answer", 20)

    def publish(self):
        self.scratch.write("config/all.json", self.intent.document())

    def restart(self):
        self.control = self.start(Control(self.scratch, self.control.folder, self.control.xds_port, self.control.http_port))

    def test_a_killed_control_plane_costs_no_request_and_edits_made_meanwhile_arrive(self):
        self.startAll()
        load = self.start(LoadRun(f"127.0.0.1:{self.intent.port}", 300, "get=8,post=2,idle=4", idle_s=0.5))

        for _ in range(3):
            self.control.kill()
            in_effect = self.intent.edit("route")
            self.publish()
            time.sleep(0.3)
            self.restart()
            waitFor(in_effect, "the edit made while the control plane was away", 40)
        counts = load.finish()

        self.assertEqual(counts["failed"], 0, counts["failures"])
        self.assertGreater(counts["requests"], 100)

    def test_a_proxy_that_is_killed_comes_back_with_the_same_configuration(self):
        self.startAll()
        self.sluice.kill()

        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.control.xds_port), wait=False))

        waitFor(lambda: get(self.intent.port).status == 200, "an answer", 20)


if __name__ == "__main__":
    unittest.main()
