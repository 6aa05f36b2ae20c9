"""A start while the control plane is away: `sluice` serves what it accepted before."""
import http.client
import os
import ssl
import stat
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, AdsServer  # noqa: E402
from harness.pki import Authority, contentOf  # noqa: E402
from harness.upstream import freePort  # noqa: E402

ADS = {"ads": {}, "resource_api_version": "V3"}
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."


class StoreCase:
    delta = False

    def setUp(self):
        super().setUp()
        self.server = AdsServer()
        self.upstream = self.start(HttpUpstream(lambda request: Reply(200, b"up")))
        self.port, self.tls_port = freePort(), freePort()
        self.store = self.scratch.join("store")

    def tearDown(self):
        if self.server:
            self.server.stop()
        super().tearDown()

    def publish(self, mark):
        authority = Authority(self.scratch.join(f"pki-{mark}"))
        authority.issue("edge", "DNS:edge.example")
        eds = {"name": "app", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}}
        table = config.routeConfig("routes", [route("app")])
        table["response_headers_to_add"] = [{"header": {"key": "x-mark", "value": mark}}]
        rds = {"route_config_name": "routes", "config_source": ADS}
        secure = httpListener("secure", rds=rds, address=config.socketAddress(self.tls_port))
        common = {"tls_certificate_sds_secret_configs": [{"name": "edge", "sds_config": ADS}]}
        secure["filter_chains"][0]["transport_socket"] = {
            "name": "tls",
            "typed_config": {"@type": TLS + "DownstreamTlsContext", "common_tls_context": common},
        }
        chain, key = contentOf(authority.cert("edge")), contentOf(authority.key("edge"))
        self.private_key = key
        self.server.set(CLUSTER, eds)
        self.server.set(ENDPOINT, config.loadAssignment("app", [self.upstream.port]))
        certificate = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
        self.server.set(SECRET, {"name": "edge", "tls_certificate": certificate})
        self.server.set(LISTENER, httpListener("web", rds=rds, address=config.socketAddress(self.port)), secure)
        self.server.set(ROUTE, table)

    def startProxy(self, *arguments):
        bootstrap = config.xdsBootstrap(self.server.port, self.delta)
        arguments = ("--config-store", self.store, *arguments)
        self.sluice = self.start(Sluice(self.scratch, bootstrap, args=arguments, wait=False))
        return self.sluice

    def mark(self):
        try:
            return get(self.port).header("x-mark")
        except OSError:
            return None

    def getSecure(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls_port, context=ssl._create_unverified_context(), timeout=10)
        self.addCleanup(connection.close)
        connection.request("GET", "/")
        return connection.getresponse().read()

    def serveOnce(self, mark="one"):
        self.publish(mark)
        self.startProxy()
        waitFor(lambda: self.mark() == mark, "the first answer", 20)
        # All that came is written by then: nothing changes any more.
        waitFor(lambda: self.sluice.stat("config_store.write_success") > 0, "the store")

    def takeServerAway(self):
        port = self.server.port
        self.server.stop()
        self.server = None
        return port

    def test_a_start_without_the_control_plane_serves_what_was_accepted(self):
        self.serveOnce()
        self.sluice.terminate()
        self.sluice.waitForExit()
        files = {name: stat.S_IMODE(os.stat(os.path.join(self.store, name)).st_mode) for name in os.listdir(self.store)}
        self.assertEqual(files, {"accepted.sealed": 0o600, "key": 0o600})
        with open(os.path.join(self.store, "accepted.sealed"), "rb") as file:
            self.assertNotIn(self.private_key.encode()[40:100], file.read())

        bootstrap = config.xdsBootstrap(self.takeServerAway(), self.delta)
        began = time.monotonic()
        proxy = self.start(Sluice(self.scratch, bootstrap, args=("--config-store", self.store), wait=False))
        waitFor(lambda: self.mark() == "one", "the stored configuration")
        print(f"\nfigures: served from the store {time.monotonic() - began:.1f} s after the start")
        self.assertEqual(self.getSecure(), b"up")
        self.assertEqual(proxy.admin("/ready").status, 200)
        resources = proxy.adminJson("/xds")["resources"]
        self.assertEqual({one["state"] for one in resources}, {"serving"})
        self.assertTrue(all(one["stored"] for one in resources), resources)
        self.assertIn("are as they were accepted before the start", proxy.log())

    def test_a_control_plane_that_comes_back_is_followed_and_what_it_has_no_more_goes(self):
        self.serveOnce()
        self.sluice.kill()
        port = self.takeServerAway()
        bootstrap = config.xdsBootstrap(port, self.delta)
        proxy = self.start(Sluice(self.scratch, bootstrap, args=("--config-store", self.store), wait=False))
        waitFor(lambda: self.mark() == "one", "the stored configuration")
        self.server = AdsServer(port)
        self.publish("two")
        self.server.set(LISTENER, self.server.resources[LISTENER]["web"])  # the other one is gone
        waitFor(lambda: self.mark() == "two", "the server that came back", 40)
        waitFor(lambda: proxy.stat("listener_manager.total_listeners_active") == 1, "the listener's end")
        waitFor(lambda: not any(one.get("stored") for one in proxy.adminJson("/xds")["resources"]), "all of the server's")

    def test_a_first_answer_that_is_refused_leaves_what_was_accepted_before(self):
        self.serveOnce()
        self.sluice.terminate()
        self.sluice.waitForExit()
        self.server.set(ROUTE, {"name": "routes", "virtual_hosts": [{"name": "v", "domains": []}]})
        self.startProxy()
        waitFor(lambda: self.mark() == "one", "the stored table", 20)
        (table,) = [one for one in self.sluice.adminJson("/xds")["resources"] if one["name"] == "routes"]
        self.assertEqual((table["state"], table["stored"]), ("rejected", True))
        self.assertIn("domains", table["error"])

    def test_a_control_plane_that_is_there_is_believed_and_not_the_store(self):
        self.serveOnce()
        self.sluice.terminate()
        self.sluice.waitForExit()
        self.publish("two")
        self.startProxy()
        marks = set()
        waitFor(lambda: marks.add(self.mark()) or "two" in marks, "the answer")
        self.assertNotIn("one", marks)

    def test_a_damaged_store_is_refused_with_a_reason_and_written_anew(self):
        self.serveOnce()
        self.sluice.terminate()
        self.sluice.waitForExit()
        path = os.path.join(self.store, "accepted.sealed")
        with open(path, "r+b") as file:
            file.seek(200)
            file.write(b"damaged")
        self.startProxy()
        waitFor(lambda: self.mark() == "one", "the control plane's configuration", 20)
        self.assertIn("it is damaged, or was sealed with another key", self.sluice.log())
        self.assertEqual(self.sluice.stat("config_store.read_failure"), 1)
        waitFor(lambda: self.sluice.stat("config_store.write_success") > 0, "the store")


class StateOfTheWorldTest(StoreCase, SluiceTestCase):
    pass


class DeltaTest(StoreCase, SluiceTestCase):
    delta = True


class RefusedTest(SluiceTestCase):
    def test_a_store_that_cannot_be_used_ends_the_start(self):
        key = self.scratch.write("key", "k" * 32)
        os.chmod(key, 0o644)
        arguments = ("--config-store", self.scratch.join("store"), "--config-store-key", key)
        proxy = self.start(Sluice(self.scratch, config.xdsBootstrap(freePort()), args=arguments, wait=False))
        self.assertEqual(proxy.waitForExit(), 1)
        self.assertIn(f"--config-store: everybody may read the key {key}", proxy.log())


if __name__ == "__main__":
    unittest.main()
