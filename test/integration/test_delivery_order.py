"""Changes that are correct lose no request, in whatever order their parts are delivered: what is named and not there yet is
waited for while what was there serves."""
import itertools
import json
import os
import random
import socket
import ssl
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET, AdsServer  # noqa: E402
from harness.pki import Authority, contentOf  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402
from harness.upstream import freePort  # noqa: E402

ADS = {"ads": {}, "resource_api_version": "V3"}
BETWEEN_S = 0.15  # parts of a change
RATE = 400
SOON = {**ADS, "initial_fetch_timeout": "0.1s"}


class Delivery:
    delta = False
    types = (CLUSTER, ENDPOINT, LISTENER, ROUTE)

    def startAll(self, *arguments):
        self.origin = self.start(Origin(self.scratch)).port
        self.server = self.start(AdsServer())
        self.server.tells_missing = True
        self.port = freePort()
        self.generation = 0
        bootstrap = self.bootstrap()
        for type_url in self.types:
            self.deliver(type_url)
        self.sluice = self.start(Sluice(self.scratch, bootstrap, args=arguments, concurrency=2, wait=False))
        waitFor(self.inEffect, "the first answer", 20)

    def bootstrap(self):
        return config.xdsBootstrap(self.server.port, self.delta)

    def shown(self, name):
        """The verdict of the one resource with that name; empty while there is none."""
        return (self.sluice.adminJson(f"/xds?name_regex={name}")["resources"] or [{}])[0]

    def deliver(self, type_url):
        """What there is of a type in this generation: it has the names of no other, so each one before it is removed."""
        name = f"app-{self.generation}"
        if type_url == CLUSTER:
            eds = {"name": name, "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}}
            self.server.set(CLUSTER, eds)
        elif type_url == ENDPOINT:
            self.server.set(ENDPOINT, config.loadAssignment(name, [self.origin]))
        elif type_url == ROUTE:
            table = config.routeConfig(f"routes-{self.generation // 6 % 2}", [route(name, timeout="0s")])
            table["response_headers_to_add"] = [{"header": {"key": "x-generation", "value": str(self.generation)}}]
            self.server.set(ROUTE, table)
        else:
            rds = {"route_config_name": f"routes-{self.generation // 6 % 2}", "config_source": ADS}
            self.server.set(LISTENER, httpListener("web", rds=rds, address=config.socketAddress(self.port)))

    def inEffect(self):
        return get(self.port).header("x-generation") == str(self.generation)

    def change(self, order):
        self.generation += 1
        for type_url in order:
            self.deliver(type_url)
            time.sleep(BETWEEN_S)
        waitFor(self.inEffect, f"generation {self.generation}, delivered as {order}", 10)

    def load(self):
        load = self.start(LoadRun(f"127.0.0.1:{self.port}", RATE, "get=95,post=5", connections=50))
        waitFor(lambda: load.report()["requests"] > 0, "the load")
        return load


class DeliveryCase(Delivery):
    def test_no_order_of_clusters_endpoints_and_routes_loses_a_request(self):
        self.startAll()
        load = self.load()
        for order in itertools.permutations((CLUSTER, ENDPOINT, ROUTE)):
            self.generation += 6 * (self.generation % 6 == 5)  # the table's name stays
            self.change(order)
        counts = load.finish()
        self.assertEqual(counts["failed"], 0, json.dumps({"failures": counts["failures"], "first": counts["details"][:8]}))
        self.assertGreater(counts["requests"], 100, "the load was not applied")

    def test_no_order_of_all_types_loses_a_request_when_listeners_name_another_table(self):
        self.startAll()
        load = self.load()
        # Routes of the new name first, the listener last, and all between.
        for order in list(itertools.permutations((LISTENER, ROUTE, CLUSTER, ENDPOINT)))[::5]:
            self.generation += 5  # and so the table has another name
            self.change(order)
        counts = load.finish()
        self.assertEqual(counts["failed"], 0, json.dumps({"failures": counts["failures"], "first": counts["details"][:8]}))

    def test_without_waiting_the_same_load_reports_failures(self):
        self.startAll("--cluster-wait-ms", "0")
        load = self.load()
        self.change((ROUTE, CLUSTER, ENDPOINT))
        self.assertGreater(load.finish()["failed"], 0)

    def test_what_waits_is_told_by_name(self):
        self.startAll()
        self.server.set(ROUTE, config.routeConfig("routes-0", [route("late", prefix="/late"), route("app-0")]))

        def shown(name="routes-0"):
            return self.sluice.adminJson(f"/xds?name_regex={name}")["resources"]

        waitFor(lambda: shown() and shown()[0]["state"] == "warming", "the wait")
        self.assertEqual((shown()[0]["version"], shown()[0]["waiting_for"]), (self.server.version(ROUTE), "cluster 'late'"))
        self.server.set(ROUTE, config.routeConfig("routes-0", [route("app-0")]))
        waitFor(lambda: shown()[0]["state"] == "serving", "the version that waits for nothing")
        self.server.set(CLUSTER, {"name": "bad", "type": "STATIC", "lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": "99999999"}})
        waitFor(lambda: shown("bad") and shown("bad")[0]["state"] == "rejected", "the refusal")
        self.assertIn("minimum_ring_size", shown("bad")[0]["error"])

    def test_after_the_limit_only_what_is_missing_is_answered_503(self):
        self.startAll("--cluster-wait-ms", "300")
        table = config.routeConfig("routes-0", [route("nobody", prefix="/missing"), route("app-0")])
        table["response_headers_to_add"] = [{"header": {"key": "x-generation", "value": "with a part missing"}}]
        self.server.set(ROUTE, table)
        waitFor(lambda: self.server.verdict(ROUTE) == "", "the acknowledgement, which waits for nothing")
        waitFor(lambda: get(self.port).header("x-generation") == "with a part missing", "the table")
        self.assertEqual([get(self.port).status, get(self.port, "/missing").status], [200, 503])
        self.assertIn("waits no longer for cluster 'nobody'", self.sluice.log())


    def test_a_listener_whose_table_is_missing_takes_over_after_the_limit_and_serves_when_it_comes(self):
        self.startAll("--cluster-wait-ms", "1500")
        rds = {"route_config_name": "nowhere", "config_source": SOON}
        self.server.set(LISTENER, httpListener("web", rds=rds, address=config.socketAddress(self.port)))
        waitFor(lambda: self.server.verdict(LISTENER) == "", "the acknowledgement, which waits for nothing")
        shown = self.shown("web")
        self.assertEqual((shown["state"], shown["waiting_for"]), ("warming", "routes 'nowhere'"))
        self.assertEqual(get(self.port).status, 200)
        waitFor(lambda: get(self.port).status == 404, "the listener without its table")
        self.assertEqual(self.shown("web")["state"], "serving")
        self.assertEqual(self.sluice.log().count("listener 'web' waits no longer for routes 'nowhere'"), 1)
        self.server.set(ROUTE, config.routeConfig("nowhere", [route("app-0")]))
        waitFor(lambda: get(self.port).status == 200, "the table")

    def test_a_cluster_whose_secret_is_missing_is_led_to_after_the_limit_and_fails_alone(self):
        self.startAll("--cluster-wait-ms", "1500")
        trusted = {"validation_context_sds_secret_config": {"name": "nobody", "sds_config": SOON}}
        sealed = config.cluster("sealed", self.origin, transport_socket=config.upstreamTls(trusted))
        eds = {"name": "app-0", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}}
        table = config.routeConfig("routes-0", [route("sealed", prefix="/sealed"), route("app-0")])
        table["response_headers_to_add"] = [{"header": {"key": "x-generation", "value": "with a part missing"}}]
        self.server.set(CLUSTER, eds, sealed)
        self.server.set(ROUTE, table)
        waitFor(lambda: self.shown("sealed").get("waiting_for") == "secret 'nobody'", "the wait of the cluster")
        waitFor(lambda: self.shown("routes-0").get("waiting_for") == "cluster 'sealed'", "the wait of the table")
        self.assertEqual(get(self.port).header("x-generation"), "0")
        waitFor(lambda: get(self.port).header("x-generation") == "with a part missing", "the table")
        self.assertEqual([get(self.port).status, get(self.port, "/sealed").status], [200, 503])
        self.assertEqual(self.sluice.log().count("cluster 'sealed' waits no longer for secret 'nobody'"), 1)


class EverythingCase(Delivery):
    """Listeners name configurations of filters and secrets, too, and clusters the authorities of their hosts: all of them under new
    names each time."""

    types = (SECRET, EXTENSION, *Delivery.types)

    def bootstrap(self):
        """The hosts of clusters are a TLS listener of the same process."""
        authority = Authority(self.scratch.join("pki"))
        self.authority = contentOf(authority.cert("ca"))
        self.tls_port = freePort()
        self.certificate = {"tls_certificates": [authority.issue("inner", "DNS:inner.example")]}
        inner = httpListener("inner", [route("origin", timeout="0s")], address=config.socketAddress(self.tls_port))
        inner["filter_chains"][0]["transport_socket"] = self.tls(self.certificate)
        bootstrap = super().bootstrap()
        bootstrap["static_resources"]["listeners"] = [inner]
        bootstrap["static_resources"]["clusters"].append(config.cluster("origin", self.origin))
        return bootstrap

    def tls(self, common):
        kind = config.TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        return {"name": "tls", "typed_config": {"@type": kind, "common_tls_context": common}}

    def deliver(self, type_url):
        number = self.generation
        filters = config.TYPE + "envoy.extensions.filters.http."
        if type_url == SECRET:
            trusted = {"name": f"authority-{number}", "validation_context": {"trusted_ca": {"inline_string": self.authority}}}
            token = {"name": f"token-{number}", "generic_secret": {"secret": {"inline_string": "a-token"}}}
            self.server.set(SECRET, trusted, token)
        elif type_url == EXTENSION:
            added = {"append": {"header": {"key": "x-mark", "value": str(number)}}}
            mark = {"@type": filters + "header_mutation.v3.HeaderMutation", "mutations": {"response_mutations": [added]}}
            self.server.set(EXTENSION, {"name": f"marks-{number}", "typed_config": mark})
        elif type_url == CLUSTER:
            trusted = {"validation_context_sds_secret_config": {"name": f"authority-{number}", "sds_config": ADS}}
            eds = {"name": f"app-{number}", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": ADS}}
            self.server.set(CLUSTER, {**eds, "transport_socket": config.upstreamTls(trusted)})
        elif type_url == ENDPOINT:
            self.server.set(ENDPOINT, config.loadAssignment(f"app-{number}", [self.tls_port]))
        elif type_url == LISTENER:
            found = {"config_source": ADS, "type_urls": [filters + "header_mutation.v3.HeaderMutation"]}
            generic = {
                "@type": config.TYPE + "envoy.extensions.http.injected_credentials.generic.v3.Generic",
                "credential": {"name": f"token-{number}", "sds_config": ADS},
            }
            inject = {"@type": filters + "credential_injector.v3.CredentialInjector", "credential": {"name": "c", "typed_config": generic}}
            listener = httpListener(
                "web",
                rds={"route_config_name": f"routes-{number // 6 % 2}", "config_source": ADS},
                address=config.socketAddress(self.port),
                filters=[{"name": f"marks-{number}", "config_discovery": found}, {"name": "inject", "typed_config": inject}],
            )
            self.server.set(LISTENER, listener)
        else:
            super().deliver(type_url)

    def inEffect(self):
        answer = get(self.port)
        return answer.status == 200 and {answer.header("x-mark"), answer.header("x-generation")} == {str(self.generation)}

    def test_a_chain_whose_secret_is_missing_is_taken_after_the_limit_and_fails_its_handshakes_alone(self):
        self.startAll("--cluster-wait-ms", "1500")
        port = freePort()

        def listener(**chains):
            secure = httpListener("secure", [config.directResponse(200)], address=config.socketAddress(port))
            kind = config.TYPE + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
            secure["listener_filters"] = [{"name": "inspector", "typed_config": {"@type": kind}}]
            filters = secure["filter_chains"][0]["filters"]
            secure["filter_chains"] = [
                {"filter_chain_match": {"server_names": [name]}, "filters": filters, "transport_socket": self.tls(common)}
                for name, common in chains.items()
            ]
            return secure

        def shakesHands(name):
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as plain:
                    with ssl._create_unverified_context().wrap_socket(plain, server_hostname=name):
                        return True
            except (ssl.SSLError, ConnectionResetError, EOFError):
                return False

        self.server.set(LISTENER, listener(one=self.certificate))
        waitFor(lambda: shakesHands("one"), "the listener")
        late = {"tls_certificate_sds_secret_configs": [{"name": "late", "sds_config": SOON}]}
        self.server.set(LISTENER, listener(one=self.certificate, two=late, three=self.certificate))
        waitFor(lambda: self.shown("secure").get("waiting_for") == "secret 'late'", "the wait")
        self.assertEqual([shakesHands("one"), shakesHands("three")], [True, False])
        waitFor(lambda: shakesHands("three"), "the listener without its secret")
        self.assertEqual([shakesHands("one"), shakesHands("two")], [True, False])
        self.assertEqual(self.sluice.log().count("listener 'secure' waits no longer for secret 'late'"), 1)

    def test_what_the_server_removes_while_it_is_named_serves_on(self):
        self.startAll()
        for type_url in (ENDPOINT, ROUTE, SECRET, CLUSTER):
            self.server.set(type_url)
            waitFor(lambda: self.server.verdict(type_url) == "", f"the acknowledgement of no {type_url}")
        load = self.start(LoadRun(f"127.0.0.1:{self.port}", 200, "close=50,stream=1", connections=50))
        time.sleep(BETWEEN_S)
        self.change(self.types)
        counts = load.finish()
        self.assertEqual(counts["failed"], 0, json.dumps({"failures": counts["failures"], "first": counts["details"][:8]}))
        self.assertGreater(counts["requests"], 10, "the load was not applied")

    def test_no_order_of_all_types_with_secrets_and_filters_loses_a_request(self):
        self.startAll()
        load = self.load()
        chooser = random.Random(13)
        for _ in range(6):
            order = chooser.sample(self.types, len(self.types))
            self.generation += chooser.choice((0, 5))
            self.change(order)
        counts = load.finish()
        self.assertEqual(counts["failed"], 0, json.dumps({"failures": counts["failures"], "first": counts["details"][:8]}))
        self.assertGreater(counts["requests"], 100, "the load was not applied")


class StateOfTheWorldTest(DeliveryCase, SluiceTestCase):
    pass


class DeltaTest(DeliveryCase, SluiceTestCase):
    delta = True


class EverythingStateOfTheWorldTest(EverythingCase, SluiceTestCase):
    pass


class EverythingDeltaTest(EverythingCase, SluiceTestCase):
    delta = True


if __name__ == "__main__":
    unittest.main()
