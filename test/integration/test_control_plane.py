"""`sluice-control` on the wire: order among types, delta, streams of single types, swaps of a whole directory."""
import json
import os
import queue
import re
import shutil
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE, AdsClient  # noqa: E402
from harness.config import socketAddress  # noqa: E402
from harness.control import ControlCase, DeltaClient, document  # noqa: E402
from harness.pki import Authority, contentOf, openssl  # noqa: E402
from harness.process import binary  # noqa: E402
from harness.sluice import runTool  # noqa: E402
from harness.upstream import freePort  # noqa: E402

ADS = {"ads": {}, "resource_api_version": "V3"}
CLUSTERS = "envoy.service.cluster.v3.ClusterDiscoveryService"
TLS = "envoy.extensions.transport_sockets.tls.v3."
ROUTES = "envoy.service.route.v3.RouteDiscoveryService"


def whole(cluster_name):
    """A listener, its routes, and the EDS cluster that they lead to."""
    return document(
        (LISTENER, config.httpListener("front", rds={"route_config_name": "routes", "config_source": ADS})),
        (ROUTE, config.routeConfig("routes", [config.route(cluster_name)])),
        (CLUSTER, {"name": cluster_name, "type": "EDS", "eds_cluster_config": {"eds_config": ADS}}),
        (ENDPOINT, config.loadAssignment(cluster_name, [1])),
    )


class OrderTest(ControlCase):
    def test_a_move_to_a_new_cluster_is_made_before_the_old_one_is_broken(self):
        self.serve(all=whole("old"))
        client = self.delta()
        client.send(CLUSTER)
        client.send(LISTENER)
        client.send(ROUTE, ["routes"])
        client.send(ENDPOINT, ["old", "new"])
        client.settle(4)

        self.write("all", whole("new"))

        self.assertEqual(
            client.settle(5),
            [
                ("Cluster", ["new"], []),
                ("ClusterLoadAssignment", ["new"], []),
                ("RouteConfiguration", ["routes"], []),
                ("Cluster", [], ["old"]),
                ("ClusterLoadAssignment", [], ["old"]),
            ],
        )

    def test_the_old_cluster_stays_while_the_routes_that_leave_it_are_refused(self):
        self.serve(all=whole("old"))
        client = self.delta()
        client.send(CLUSTER)
        client.send(ROUTE, ["routes"])
        client.settle(2)
        self.write("all", whole("new"))
        client.acknowledge(client.receive())

        client.send(ROUTE, nonce=client.receive().nonce, error="routes: no")

        self.assertEqual(client.settle(0), [])

    def test_state_of_the_world_holds_old_and_new_until_the_routes_are_acknowledged(self):
        self.serve(all=whole("old"))
        client = self.start(AdsClient(self.control.xds_port))
        client.send(CLUSTER)
        client.acknowledge(client.receive())
        client.send(ROUTE, ["routes"])
        client.acknowledge(client.receive(), ["routes"])

        self.write("all", whole("new"))
        both = client.receive()
        client.acknowledge(both)
        routes = client.receive()
        client.acknowledge(routes, ["routes"])
        final = client.receive()

        self.assertEqual([resource.name for resource in client.resources(both)], ["new", "old"])
        self.assertEqual(routes.type_url, ROUTE)
        self.assertEqual([resource.name for resource in client.resources(final)], ["new"])


class DeltaTest(ControlCase):
    def test_one_changed_cluster_of_a_thousand_is_one_resource(self):
        clusters = [(CLUSTER, config.cluster(f"c{i}", 1)) for i in range(1000)]
        self.serve(all=document(*clusters))
        client = self.delta()
        client.send(CLUSTER)
        self.assertEqual(len(client.settle()[0][1]), 1000)

        clusters[500] = (CLUSTER, config.cluster("c500", 2))
        self.write("all", document(*clusters))

        self.assertEqual(client.settle(), [("Cluster", ["c500"], [])])

    def test_a_restart_sends_only_what_the_client_does_not_hold(self):
        self.serve(all=document((CLUSTER, config.cluster("same", 1)), (CLUSTER, config.cluster("other", 1))))
        client = self.delta()
        client.send(CLUSTER)
        held = {resource.name: resource.version for resource in client.receive().resources}
        self.control.kill()
        self.write("all", document((CLUSTER, config.cluster("same", 1)), (CLUSTER, config.cluster("fresh", 1))))
        self.control = self.start(Control(self.scratch, self.control.folder, self.control.xds_port, self.control.http_port))

        again = self.delta()
        again.send(CLUSTER, versions=held)

        self.assertEqual(again.settle(), [("Cluster", ["fresh"], ["other"])])

    def test_a_name_that_does_not_exist_is_told_and_comes_when_it_appears(self):
        self.serve(all=document())
        client = self.delta()
        client.send(CLUSTER, ["late"])
        self.assertEqual(client.settle(), [("Cluster", [], ["late"])])

        self.write("all", document((CLUSTER, config.cluster("late", 1))))

        self.assertEqual(client.settle(), [("Cluster", ["late"], [])])


class TransportTest(ControlCase):
    def test_streams_of_single_types_keep_the_order_too(self):
        self.serve(all=whole("up"))
        target = f"127.0.0.1:{self.control.xds_port}"
        clusters = self.start(DeltaClient(target, f"/{CLUSTERS}/DeltaClusters"))
        clusters.send("")
        response = clusters.receive()
        routes = self.start(DeltaClient(target, f"/{ROUTES}/DeltaRoutes"))
        routes.send("", ["routes"])

        with self.assertRaises(queue.Empty):
            routes.receive(timeout=0.3)
        clusters.acknowledge(response)

        self.assertEqual(routes.settle(), [("RouteConfiguration", ["routes"], [])])

    def test_streams_of_one_proxy_on_connections_of_their_own_keep_the_order_too(self):
        self.serve(all=whole("up"))
        target = f"127.0.0.1:{self.control.xds_port}"
        routes = self.start(DeltaClient(target, f"/{ROUTES}/DeltaRoutes", own_connection=True))
        clusters = self.start(DeltaClient(target, f"/{CLUSTERS}/DeltaClusters", own_connection=True))
        clusters.send("")
        clusters.receive()
        routes.send("", ["routes"])

        with self.assertRaises(queue.Empty):
            routes.receive(timeout=0.5)
        clusters.send("", nonce="1")

        self.assertEqual(routes.settle(), [("RouteConfiguration", ["routes"], [])])

    def test_a_stream_that_has_nothing_to_send_does_not_hold_up_the_others(self):
        self.serve(all=whole("up"))
        target = f"127.0.0.1:{self.control.xds_port}"
        routes = self.start(DeltaClient(target, f"/{ROUTES}/DeltaRoutes"))
        routes.send("", ["routes"])
        routes.settle()
        clusters = self.start(DeltaClient(target, f"/{CLUSTERS}/DeltaClusters"))
        clusters.send("")
        clusters.settle()

        text = json.loads(whole("up"))
        text["resources"][1]["virtual_hosts"][0]["routes"][0]["route"]["timeout"] = "7s"
        began = time.monotonic()
        self.write("all", json.dumps(text))
        routes.receive(timeout=20)

        self.assertLess(time.monotonic() - began, 5)

    def test_unix_sockets_serve_both_sides(self):
        os.mkdir(self.scratch.join("config"))
        self.write("all", document((CLUSTER, config.cluster("one", 1))))
        xds, api = self.scratch.join("xds.sock"), self.scratch.join("api.sock")
        command = [binary("sluice-control"), "--config", self.scratch.join("config")]
        process = Process(command + ["--listen", "unix:" + xds, "--http", "unix:" + api], self.scratch, "control-unix")
        self.addCleanup(process.kill)
        waitFor(lambda: runTool("sluicectl", "status", "--control", "unix:" + api)[0] == 0, "the API")
        waitFor(lambda: "xDS on" in process.log(), "xDS")

        client = self.start(DeltaClient("unix:" + xds))
        client.send(CLUSTER)
        self.assertEqual(client.settle(), [("Cluster", ["one"], [])])
        code, output = runTool("sluicectl", "status", "--control", "unix:" + api)

        self.assertEqual(code, 0, output)
        self.assertIn("1 of 1 serve generation 1 ", output)

    def test_an_address_in_use_is_an_error(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        for flags in (["--listen", address, "--http", "127.0.0.1:0"], ["--listen", "127.0.0.1:0", "--http", address]):
            with self.subTest(flags=flags):
                code, output = runTool("sluice-control", "--config", self.scratch.path, *flags)
                self.assertEqual(code, 1, output)
                self.assertIn(address, output)

    def test_a_terminated_control_plane_exits_with_0_while_streams_are_open(self):
        self.serve(all=document())
        client = self.delta()
        client.send(CLUSTER)
        client.receive()

        self.control.process.terminate()

        self.assertEqual(self.control.process.wait(10), 0)


class TlsTest(ControlCase):
    """The stream between a proxy and its control plane over TLS, each with a certificate."""

    def setUp(self):
        super().setUp()
        self.ca = Authority(self.scratch.join("pki"))
        self.ca.issue("control", "DNS:control.example")
        self.ca.issue("proxy", "URI:spiffe://example/proxy")
        os.mkdir(self.scratch.join("config"))
        self.port = freePort()
        listener = config.httpListener("front", [config.directResponse(200, "hello")], address=socketAddress(self.port))
        self.write("all", document((LISTENER, listener)))

    def serve(self, ca="ca", certificate="control"):
        flags = ["--tls-certificate", self.ca.cert(certificate), "--tls-key", self.ca.key(certificate)]
        flags += ["--tls-client-ca", self.ca.cert(ca)]
        self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=flags))

    def proxy(self, ca=None, certificate="proxy", name="control.example", delta=False, watched=None):
        """A proxy that believes `ca` (a file) and a control plane of this name."""
        validation = {
            "trusted_ca": {"filename": ca or self.ca.cert("ca")},
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}}],
        }
        if watched:
            validation["watched_directory"] = {"path": watched}
        common = {"validation_context": validation}
        if certificate:
            common["tls_certificates"] = [self.ca.files(certificate)]
        tls = config.upstreamTls(common, sni=name)
        text = config.xdsBootstrap(self.control.xds_port, delta, transport_socket=tls)
        self.sluice = self.start(Sluice(self.scratch, text, wait=False))

    def served(self):
        self.sluice.mustRun()
        try:
            return get(self.port, "/").body == b"hello"
        except OSError:
            return False

    def waitForLog(self, process, text):
        waitFor(lambda: text in process.log(), f"{text!r} in the log")

    def test_both_sides_show_certificates_and_the_proxy_is_known_by_its_own(self):
        self.serve()
        for delta in (False, True):
            with self.subTest(delta=delta):
                self.proxy(delta=delta)
                waitFor(self.served, "the listener of the control plane")

                waitFor(lambda: self.control.status()["nodes_up_to_date"] == 1, "the ACK")
                self.assertIn("(spiffe://example/proxy)", self.control.status()["nodes"][0]["address"])
                self.assertEqual(self.sluice.stat("cluster.xds.ssl.handshake"), 1)
                self.sluice.stop()
                waitFor(lambda: not self.control.status()["nodes"], "the proxy to be gone")

    def test_changes_larger_than_any_buffer_pass_both_ways(self):
        self.serve()
        self.proxy()
        waitFor(self.served, "the listener")
        big = [(CLUSTER, config.cluster(f"cluster-{i}-{'x' * 1000}", 1)) for i in range(1000)]

        self.write("big", document(*big))

        waitFor(lambda: self.sluice.stat("cluster_manager.active_clusters") > 1000, "all clusters", timeout=60)
        waitFor(lambda: self.control.status()["nodes_up_to_date"] == 1, "the ACK")

    def test_a_control_plane_of_another_authority_is_not_believed_until_its_authority_is(self):
        stranger = Authority(self.scratch.join("stranger"), "stranger")
        live = self.scratch.join("live")
        os.mkdir(live)
        trusted = os.path.join(live, "ca.pem")
        shutil.copy(stranger.cert("stranger"), trusted)
        self.serve()
        self.proxy(ca=trusted, watched=live)

        self.waitForLog(self.sluice, "unable to get local issuer certificate")
        self.assertRegex(self.sluice.log(), r"the connection to 127.0.0.1:\d+ failed: ")
        waitFor(lambda: self.sluice.stat("cluster.xds.ssl.fail_verify_error") >= 2, "another attempt")
        self.assertFalse(self.served())
        self.assertEqual(self.sluice.addresses(), {})

        shutil.copy(self.ca.cert("ca"), trusted + ".new")
        os.replace(trusted + ".new", trusted)
        waitFor(self.served, "the listener, once the authority is right", timeout=60)

    def test_a_control_plane_of_another_name_is_not_believed(self):
        self.serve()
        self.proxy(name="other.example")

        self.waitForLog(self.sluice, "no subject alternative name matches; the certificate's are DNS:control.example")
        self.assertFalse(self.served())

    def test_a_proxy_whose_certificate_expired_gets_nothing_and_both_sides_say_why(self):
        self.ca.issue("old", "URI:spiffe://example/proxy", days=-1)
        self.serve()
        self.proxy(certificate="old")

        self.waitForLog(self.control, "certificate has expired")
        self.waitForLog(self.sluice, "the peer finds our certificate expired")
        self.assertEqual(self.control.status()["nodes"], [])
        self.assertFalse(self.served())

    def test_a_proxy_without_a_certificate_gets_nothing(self):
        self.serve()
        self.proxy(certificate=None)

        self.waitForLog(self.control, "the client sent no certificate and one is required")
        self.waitForLog(self.sluice, "the peer requires a client certificate")
        self.assertFalse(self.served())

    def test_a_peer_without_tls_and_one_that_says_nothing_do_not_hold_up_the_others(self):
        self.serve()
        with socket.create_connection(("127.0.0.1", self.control.xds_port)) as silent:
            with socket.create_connection(("127.0.0.1", self.control.xds_port)) as plain:
                plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                self.waitForLog(self.control, "does not speak TLS here")
                self.proxy()
                waitFor(self.served, "the listener")
            silent.setblocking(False)
            self.assertRaises(BlockingIOError, silent.recv, 1)

    def test_a_renewed_certificate_of_the_control_plane_is_used_and_a_bad_one_is_not(self):
        for name in ("first", "second"):
            self.ca.issue(name, "DNS:control.example")
        live = self.scratch.join("live")
        os.mkdir(live)

        def put(name, source):
            shutil.copy(source, os.path.join(live, name + ".new"))
            os.replace(os.path.join(live, name + ".new"), os.path.join(live, name))

        put("tls.pem", self.ca.cert("first"))
        put("tls.key", self.ca.key("first"))
        flags = ["--tls-certificate", os.path.join(live, "tls.pem"), "--tls-key", os.path.join(live, "tls.key")]
        self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=flags))

        def subject():
            return openssl("s_client", "-connect", f"127.0.0.1:{self.control.xds_port}", "-alpn", "h2", text="")

        self.assertIn("CN = first", subject())
        put("tls.pem", self.ca.cert("second"))
        self.waitForLog(self.control, "the last good files")
        self.assertIn("CN = first", subject())
        put("tls.key", self.ca.key("second"))
        waitFor(lambda: "CN = second" in subject(), "the second certificate")
        self.proxy(certificate=None)
        waitFor(self.served, "the listener, without a certificate of the proxy")

    def test_settings_that_do_not_belong_together_are_refused(self):
        certificate, key = self.ca.cert("control"), self.ca.key("control")
        for flags, code, words in (
            (["--tls-certificate", certificate], 2, "belong together"),
            (["--tls-client-ca", certificate], 2, "without TLS nobody is checked"),
            (["--tls-certificate", certificate, "--tls-key", self.ca.key("proxy")], 1, "not the key of the certificate"),
            (["--tls-certificate", "/nowhere/x.pem", "--tls-key", key], 1, "/nowhere"),
        ):
            with self.subTest(flags=flags):
                result = runTool("sluice-control", "--config", self.scratch.join("config"), *flags)
                self.assertEqual(result[0], code, result[1])
                self.assertIn(words, result[1])


class SecretsTest(ControlCase):
    """Secrets of the control plane's folder: served on both kinds of streams, and never shown."""

    def setUp(self):
        super().setUp()
        self.ca = Authority(self.scratch.join("pki"))
        self.port = freePort()

    def secret(self, certificate, key=None):
        files = {
            "certificate_chain": {"inline_string": contentOf(self.ca.cert(certificate))},
            "private_key": {"inline_string": contentOf(self.ca.key(key or certificate))},
        }
        return (config.TYPE + TLS + "Secret", {"name": "cert", "tls_certificate": files})

    def listener(self, source):
        listener = config.httpListener("front", [config.directResponse(200, "hello")], address=socketAddress(self.port))
        common = {"tls_certificate_sds_secret_configs": [{"name": "cert", "sds_config": source}]}
        listener["filter_chains"][0]["transport_socket"] = {
            "name": "tls",
            "typed_config": {"@type": config.TYPE + TLS + "DownstreamTlsContext", "common_tls_context": common},
        }
        return listener

    def subject(self):
        try:
            return re.search(r"CN = (\w+)", openssl("s_client", "-connect", f"127.0.0.1:{self.port}", text="")).group(1)
        except AssertionError:
            return None

    def assertNoKeys(self):
        for path in ("/api/v1/resources", "/api/v1/resources?type=secret", "/api/v1/status"):
            self.assertNotIn(b"PRIVATE KEY", request(self.control.http_port, path=path).body, path)
        self.assertNotIn("PRIVATE KEY", self.control.log())
        self.assertNotIn("PRIVATE KEY", self.sluice.log())

    def test_a_listener_and_its_secret_come_by_one_stream_and_the_secret_is_renewed(self):
        for name in ("one", "two"):
            self.ca.issue(name, "DNS:a.example")
        for delta in (False, True):
            with self.subTest(delta=delta):
                os.makedirs(self.scratch.join("config"), exist_ok=True)
                self.write("all", document((LISTENER, self.listener(ADS)), self.secret("one")))
                flags = ["--log-level", "debug"]
                self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=flags))
                text = config.xdsBootstrap(self.control.xds_port, delta)
                self.sluice = self.start(Sluice(self.scratch, text, wait=False, args=["-l", "debug"]))
                waitFor(lambda: self.subject() == "one", "the first certificate")

                self.write("all", document((LISTENER, self.listener(ADS)), self.secret("one", key="two")))
                waitFor(lambda: self.control.status()["errors"], "the mismatch to be refused")
                self.assertEqual(self.subject(), "one")
                self.write("all", document((LISTENER, self.listener(ADS)), self.secret("two")))
                waitFor(lambda: self.subject() == "two", "the second certificate")

                waitFor(lambda: self.control.status()["nodes_up_to_date"] == 1, "the ACK")
                shown = json.loads(request(self.control.http_port, path="/api/v1/resources?type=secret").body)["resources"]
                self.assertEqual(shown[0]["resource"]["tls_certificate"]["private_key"]["inline_string"], "[redacted]")
                self.assertNoKeys()
                self.sluice.stop()
                self.control.stop()

    def test_a_stream_of_secrets_alone_serves_a_listener_of_the_bootstrap(self):
        self.ca.issue("one", "DNS:a.example")
        self.serve(all=document(self.secret("one")))
        for api_type in ("GRPC", "DELTA_GRPC"):
            with self.subTest(api_type=api_type):
                grpc = [{"envoy_grpc": {"cluster_name": "xds"}}]
                api = {"api_type": api_type, "transport_api_version": "V3", "grpc_services": grpc}
                source = {"api_config_source": api, "resource_api_version": "V3"}
                text = config.xdsBootstrap(self.control.xds_port)
                del text["dynamic_resources"]
                text["static_resources"]["listeners"] = [self.listener(source)]
                self.sluice = self.start(Sluice(self.scratch, text, wait=False))

                waitFor(lambda: self.subject() == "one", "the certificate")
                self.assertNoKeys()
                self.sluice.stop()

    def test_a_secret_that_no_file_gives_is_an_error_of_the_listener_that_names_it(self):
        self.ca.issue("one", "DNS:a.example")
        self.serve(all=document((LISTENER, self.listener(ADS))))

        errors = self.control.status()["errors"]

        self.assertEqual(len(errors), 1, errors)
        self.assertIn("secret 'cert' does not exist; no file gives it", errors[0]["message"])
        self.assertIn("tls_certificate_sds_secret_configs[0].name", errors[0]["path"])


class DirectoryTest(ControlCase):
    def volume(self, name, text):
        folder = self.scratch.join(f"config/..{name}")
        os.mkdir(folder)
        with open(os.path.join(folder, "all.json"), "w") as file:
            file.write(text)
        link = self.scratch.join("config/..tmp")
        os.symlink(f"..{name}", link)
        os.rename(link, self.scratch.join("config/..data"))

    def test_a_volume_is_swapped_as_kubernetes_does(self):
        os.mkdir(self.scratch.join("config"))
        self.volume("1", document((CLUSTER, config.cluster("one", 1))))
        os.symlink("..data/all.json", self.scratch.join("config/all.json"))
        self.control = self.start(Control(self.scratch, self.scratch.join("config")))
        client = self.delta()
        client.send(CLUSTER)
        client.settle()

        self.volume("2", document((CLUSTER, config.cluster("two", 1))))

        self.assertEqual(client.settle(), [("Cluster", ["two"], ["one"])])

    def test_a_link_to_the_directory_is_swapped(self):
        for name in ("one", "two"):
            os.mkdir(self.scratch.join(name))
            self.scratch.write(f"{name}/all.json", document((CLUSTER, config.cluster(name, 1))))
        os.symlink("one", self.scratch.join("config"))
        self.control = self.start(Control(self.scratch, self.scratch.join("config")))
        client = self.delta()
        client.send(CLUSTER)
        client.settle()

        os.symlink("two", self.scratch.join("next"))
        os.rename(self.scratch.join("next"), self.scratch.join("config"))
        self.assertEqual(client.settle(), [("Cluster", ["two"], ["one"])])
        self.scratch.write("two/all.json", document((CLUSTER, config.cluster("three", 1))))

        self.assertEqual(client.settle(), [("Cluster", ["three"], ["two"])])

    def test_hidden_files_and_other_suffixes_are_ignored(self):
        self.serve(all=document((CLUSTER, config.cluster("one", 1))))
        client = self.delta()
        client.send(CLUSTER)
        client.settle()

        for name in (".hidden.json", "notes.txt", "all.json~"):
            with open(self.scratch.join("config/" + name), "w") as file:
                file.write("{")

        self.assertEqual(client.settle(0), [])
        self.assertIn("notes.txt: is ignored", self.control.log())
        self.assertNotIn("refused", self.control.log())

    def test_a_change_reaches_a_client_within_50_ms(self):
        self.serve(all=document((CLUSTER, config.cluster("one", 1))))
        client = self.delta()
        client.send(CLUSTER)
        client.settle()

        times = []
        for port in range(2, 23):
            path = self.scratch.write("next", document((CLUSTER, config.cluster("one", port))))
            start = time.monotonic()
            os.rename(path, self.scratch.join("config/all.json"))
            client.acknowledge(client.receive())
            times.append(time.monotonic() - start)

        # Of those that a busy machine did not hold up: whoever looks for changes now and then has few that are so quick.
        self.assertLess(sorted(times)[len(times) // 4], 0.05, times)


if __name__ == "__main__":
    unittest.main()
