"""Changes that are correct lose no request, in whatever order their parts are delivered: what is named and not there yet is
waited for while what was there serves."""
import itertools
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE, AdsServer  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402
from harness.upstream import freePort  # noqa: E402

ADS = {"ads": {}, "resource_api_version": "V3"}
BETWEEN_S = 0.15  # parts of a change
RATE = 400


class DeliveryCase:
    delta = False

    def startAll(self, *arguments):
        self.origin = self.start(Origin(self.scratch)).port
        self.server = self.start(AdsServer())
        self.port = freePort()
        self.generation = 0
        for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
            self.deliver(type_url)
        self.sluice = self.start(
            Sluice(self.scratch, config.xdsBootstrap(self.server.port, self.delta), args=arguments, concurrency=2, wait=False)
        )
        waitFor(self.inEffect, "the first answer", 20)

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


class StateOfTheWorldTest(DeliveryCase, SluiceTestCase):
    pass


class DeltaTest(DeliveryCase, SluiceTestCase):
    delta = True


if __name__ == "__main__":
    unittest.main()
