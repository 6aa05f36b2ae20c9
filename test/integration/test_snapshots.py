"""`sluice` under a management server with the habits of a snapshot cache, in the five ways that such servers are tried.

Every version names its clusters and route tables anew and keeps its listeners; versions follow each other, and after each
all listeners, HTTP and TCP, have to lead to it, and no request may have failed.
"""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.ads import CLUSTER, ENDPOINT, LISTENER, ROUTE  # noqa: E402
from harness.snapshots import SnapshotServer  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402
from harness.upstream import freePort  # noqa: E402

VERSIONS = 8
CLUSTERS = 4
HTTP_LISTENERS = 2
TCP_LISTENERS = 2
ADS = {"ads": {}, "resource_api_version": "V3"}
TCP_PROXY = config.TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


class SnapshotTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.origins = [self.start(Origin(self.scratch, version)) for version in ("even", "odd")]
        self.ports = [freePort() for _ in range(HTTP_LISTENERS + TCP_LISTENERS)]
        self.server = self.start(SnapshotServer())

    def tcpListener(self, name, port, cluster_name):
        proxy = {"@type": TCP_PROXY, "stat_prefix": name, "cluster": cluster_name}
        chain = {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}
        return {"name": name, "address": config.socketAddress(port), "filter_chains": [chain]}

    def publish(self, number, source, **more):
        clusters, tables = [f"cluster-v{number}-{i}" for i in range(CLUSTERS)], []
        listeners, assignments = [], []
        for i, port in enumerate(self.ports):
            name = f"listener-{port}"  # the same in each version, as the port is
            if i >= HTTP_LISTENERS:
                listeners.append(self.tcpListener(name, port, clusters[i % CLUSTERS]))
                continue
            table = config.routeConfig(f"route-v{number}-{i}", [config.route(clusters[i % CLUSTERS])])
            table["response_headers_to_add"] = [{"header": {"key": "x-snapshot", "value": f"v{number}"}}]
            tables.append(table)
            rds = {"route_config_name": table["name"], "config_source": source}
            listeners.append(config.httpListener(name, rds=rds, address=config.socketAddress(port)))
        for name in clusters:
            assignments.append(config.loadAssignment(name, [self.origins[number % 2].port]))
        eds = [
            {"name": name, "type": "EDS", "connect_timeout": "5s", "eds_cluster_config": {"eds_config": source}, **more}
            for name in clusters
        ]
        self.server.set(f"v{number}", {CLUSTER: eds, ENDPOINT: assignments, LISTENER: listeners, ROUTE: tables})

    def leadsTo(self, port, number, http):
        response = get(port)
        return (
            response.status == 200
            and response.header("x-version") == ("even", "odd")[number % 2]
            and (not http or response.header("x-snapshot") == f"v{number}")
        )

    def runVersions(self, source, bootstrap_text, may_fail=0):
        self.publish(0, source)
        sluice = self.start(Sluice(self.scratch, bootstrap_text, wait=False))
        waitFor(lambda: all(self.leadsTo(port, 0, False) for port in self.ports), "the first version", 20)
        targets = ",".join(f"127.0.0.1:{port}" for port in self.ports[:HTTP_LISTENERS])
        load = self.start(LoadRun(targets, 500, "get=9,post=1", connections=50))
        waitFor(lambda: load.report()["requests"] > 0, "the load")
        for number in range(VERSIONS):
            if number:
                self.publish(number, source)
            for i, port in enumerate(self.ports):
                waitFor(lambda: self.leadsTo(port, number, i < HTTP_LISTENERS), f"listener {i} to lead to version {number}", 20)
        counts = load.finish()
        self.assertLessEqual(counts["failed"], may_fail, counts["failures"])
        self.assertEqual(self.server.refusals, [])
        # Each version is a few responses; answers to answers would be far more.
        self.assertLess(self.server.responses, 25 * VERSIONS)
        waitFor(lambda: sluice.stat("cluster_manager.active_clusters") == CLUSTERS + 1, "the old clusters to be gone", 40)

    def aggregated(self, delta):
        self.runVersions(ADS, config.xdsBootstrap(self.server.port, delta))

    def separate(self, delta):
        source = config.grpcSource("xds", delta)
        text = config.xdsBootstrap(self.server.port)
        text["dynamic_resources"] = {"lds_config": source, "cds_config": source}
        # Nobody keeps an order among streams: a table may come some milliseconds before its clusters are warm.
        self.runVersions(source, text, may_fail=8)

    def test_one_stream(self):
        self.aggregated(delta=False)

    def test_one_delta_stream(self):
        self.aggregated(delta=True)

    def test_a_stream_for_each_type(self):
        self.separate(delta=False)

    def test_a_delta_stream_for_each_type(self):
        self.separate(delta=True)

    def test_a_refused_version_is_no_storm_and_the_next_one_is_taken(self):
        for delta in (False, True):
            with self.subTest(delta=delta):
                self.publish(0, ADS)
                sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port, delta), wait=False))
                waitFor(lambda: all(self.leadsTo(port, 0, False) for port in self.ports), "the first version", 20)
                before = self.server.responses

                self.publish(1, ADS, connect_timeout="-1s")
                waitFor(lambda: self.server.refusals, "the refusal")
                time.sleep(1)
                self.assertLess(self.server.responses - before, 25)
                self.assertIn("cluster-v1-0", self.server.refusals[0][1])
                self.publish(2, ADS)
                waitFor(lambda: all(self.leadsTo(port, 2, False) for port in self.ports), "the third version", 20)

                sluice.stop()
                self.server.refusals.clear()


if __name__ == "__main__":
    unittest.main()
