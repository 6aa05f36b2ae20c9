"""What `sluice` reports of its load, to a server in Python's gRPC and to `sluice-control`."""
import collections
import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.lrs import LoadReports  # noqa: E402
from harness.sluice import runTool  # noqa: E402


class LoadCase(SluiceTestCase):
    """A proxy with hosts in zones a and b, by endpoints in a file. /bad is answered 500, /held when `held` is set."""

    def setUp(self):
        super().setUp()
        self.held = threading.Event()
        self.addCleanup(self.held.set)
        self.seen = collections.Counter()  # (zone, "succeeded" or "failed")
        self.waiting = []  # zones of /held requests
        self.hosts = {zone: self.start(HttpUpstream(lambda request, zone=zone: self.answer(request, zone))) for zone in "ab"}

    def answer(self, request, zone):
        if request.path == "/held":
            self.waiting.append(zone)
            self.held.wait(20)
        bad = request.path == "/bad"
        self.seen[zone, "failed" if bad else "succeeded"] += 1
        return Reply(500 if bad else 200)

    def giveEndpoints(self, *zones, **more):
        endpoints = [
            {
                "locality": {"region": "r", "zone": zone},
                "lb_endpoints": [config.endpoint(self.hosts[zone].port)],
            }
            for zone in zones
        ]
        assignment = {"cluster_name": "app-endpoints", "endpoints": endpoints, **more}
        assignment["@type"] = config.TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment"
        text = json.dumps({"version_info": str(zones), "resources": [assignment]})
        return self.scratch.write("endpoints.json", text)

    def startProxy(self, lrs_port, *zones, **more):
        path = self.giveEndpoints(*(zones or "ab"), **more)
        source = {"path_config_source": {"path": path}, "resource_api_version": "V3"}
        app = {"name": "app", "type": "EDS", "connect_timeout": "2s"}
        app["eds_cluster_config"] = {"service_name": "app-endpoints", "eds_config": source}
        proxy = bootstrap(
            [httpListener("web", [route("app")])],
            [app, cluster("idle", 1), cluster("reports", lrs_port, **HTTP2)],
            node={"id": "edge-1", "cluster": "edge"},
            cluster_manager={"load_stats_config": config.grpcSource("reports")["api_config_source"]},
        )
        self.sluice = self.start(Sluice(self.scratch, proxy, concurrency=2))
        self.port = self.sluice.port("web")

    def send(self, good=0, bad=0):
        for path, count in (("/", good), ("/bad", bad)):
            for _ in range(count):
                get(self.port, path)

    def hold(self):
        """Begins a request that its host does not answer before `held` is set; the zone of the host."""
        known = len(self.waiting)

        def ask():
            try:
                get(self.port, "/held")
            except (EOFError, OSError):  # the proxy ended before
                pass

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        self.addCleanup(lambda: (self.held.set(), thread.join(20)))
        waitFor(lambda: len(self.waiting) > known, "the request at its host")
        return self.waiting[-1]


class ReportTest(LoadCase):
    def serve(self, **settings):
        self.reports = self.start(LoadReports(**settings))
        self.startProxy(self.reports.port)
        waitFor(lambda: self.reports.requests, "a first report")

    def expected(self):
        issued = {(zone, "issued"): self.seen[zone, "succeeded"] + self.seen[zone, "failed"] for zone in "ab"}
        return +collections.Counter({**self.seen, **issued})

    def waitForSums(self):
        expected = self.expected()
        waitFor(lambda: self.reports.sums("app") == expected, f"reports of {expected}")
        # Nothing is told twice.
        count = len(self.reports.requests)
        waitFor(lambda: len(self.reports.requests) >= count + 2, "two more reports")
        self.assertEqual(self.reports.sums("app"), expected)

    def test_each_request_is_reported_once_by_locality(self):
        self.serve()

        self.send(good=31, bad=12)

        self.waitForSums()
        self.assertEqual(sum(self.seen.values()), 43)
        self.assertTrue(self.seen["a", "succeeded"] and self.seen["b", "succeeded"])
        stats = self.reports.stats("app")[0]
        self.assertEqual(stats.cluster_service_name, "app-endpoints")
        self.assertEqual(stats.upstream_locality_stats[0].locality.region, "r")
        interval = stats.load_report_interval
        self.assertTrue(0.05 < interval.seconds + interval.nanos / 1e9 < 20)
        self.assertFalse(self.reports.stats("idle"))
        node = self.reports.nodes[0]
        self.assertEqual((node.id, node.cluster), ("edge-1", "edge"))
        self.assertIn("envoy.lrs.supports_send_all_clusters", node.client_features)

    def test_a_host_that_leaves_is_reported_until_its_last_request_is_over(self):
        self.serve()
        self.send(good=6)
        while set(self.waiting) != {"a", "b"}:  # workers take their hosts in turn, each for itself
            self.hold()

        self.giveEndpoints("a")

        hosts = lambda: self.sluice.adminJson("/clusters?format=json")["cluster_statuses"]  # noqa: E731
        left = lambda: [len(each.get("host_statuses", [])) for each in hosts() if each["name"] == "app"] == [1]  # noqa: E731
        waitFor(left, "the host to leave")
        count = len(self.reports.stats("app"))
        waitFor(lambda: len(self.reports.stats("app")) >= count + 3, "reports without the host")
        running = {each.locality.zone: each.total_requests_in_progress for each in self.reports.stats("app")[-1].upstream_locality_stats}
        self.assertEqual(running, collections.Counter(self.waiting))
        self.held.set()
        waitFor(lambda: sum(self.seen.values()) == 6 + len(self.waiting), "the answers of the hosts")
        self.waitForSums()

    def test_a_stream_that_is_cut_loses_no_counts(self):
        self.serve()
        self.send(good=4, bad=1)
        self.waitForSums()

        self.reports.cut()
        waitFor(lambda: self.sluice.stat("load_reporter.errors") == 1, "the end of the stream")
        self.send(good=5, bad=2)

        waitFor(lambda: len(self.reports.nodes) == 2, "another stream")
        self.waitForSums()
        self.assertEqual(self.sluice.stat("load_reporter.retries"), 1)
        self.assertIn("load report stream ended", self.sluice.log())

    def test_clusters_by_name_are_reported_in_any_case_and_hosts_one_by_one_if_wanted(self):
        self.serve(send_all_clusters=False, clusters=["app", "idle", "none"], report_endpoint_granularity=True)
        self.assertEqual({each.cluster_name for each in self.reports.requests[0].cluster_stats}, {"app", "idle"})

        self.send(good=8)

        self.waitForSums()
        issued = collections.Counter()
        for stats in self.reports.stats("app"):
            for place in stats.upstream_locality_stats:
                for host in place.upstream_endpoint_stats:
                    issued[host.address.socket_address.port_value] += host.total_issued_requests
        self.assertEqual(+issued, {self.hosts[zone].port: self.seen[zone, "succeeded"] for zone in "ab"})

    def test_dropped_requests_are_reported_with_their_category(self):
        self.serve()
        drop = {"category": "maintenance", "drop_percentage": {"numerator": 100}}

        self.giveEndpoints("a", policy={"drop_overloads": [drop]})
        waitFor(lambda: get(self.port).status == 503, "requests to be dropped")
        self.send(good=3)

        dropped = self.sluice.stat("cluster.app.upstream_rq_drop_overload")
        self.assertGreaterEqual(dropped, 4)
        total = lambda: sum(each.total_dropped_requests for each in self.reports.stats("app"))  # noqa: E731
        waitFor(lambda: total() == dropped, "reports of dropped requests")
        by_category = collections.Counter()
        for stats in self.reports.stats("app"):
            for each in stats.dropped_requests:
                by_category[each.category] += each.dropped_count
        self.assertEqual(by_category, {"maintenance": dropped})

    def test_settings_that_make_no_sense_are_dropped_with_a_reason(self):
        self.reports = self.start(LoadReports(load_reporting_interval="0s"))
        self.startProxy(self.reports.port)

        waitFor(lambda: "load_reporting_interval has to be more than 0 s" in self.sluice.log(), "the reason in the log")

        self.assertEqual(get(self.port).status, 200)
        self.assertFalse(self.reports.requests)


class ControlTest(LoadCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.scratch.join("config"))
        self.scratch.write("config/none.json", '{"resources": []}')
        arguments = ["--load-report-interval-ms", "400"]  # what is three times as old counts no more
        self.control = self.start(Control(self.scratch, self.scratch.join("config"), args=arguments))

    def load(self, query=""):
        return json.loads(request(self.control.http_port, path="/api/v1/load" + query).body)

    def cli(self, *arguments):
        return runTool("sluicectl", *arguments, "--control", f"http://127.0.0.1:{self.control.http_port}")

    def test_the_control_plane_tells_the_load_of_the_fleet(self):
        self.assertIn("no proxy reports its load", self.cli("status")[1])
        self.startProxy(self.control.xds_port)
        zone = self.hold()

        def rates():
            """Of a report that was made between two requests."""
            self.send(good=2, bad=2)
            clusters = self.load("?cluster=app")["clusters"]
            return [each for each in clusters if 0 < each["error_share"] < 1 and each["in_flight"] == 1]

        app = waitFor(rates, "a report of good and bad requests", 20)[0]
        self.assertEqual((app["cluster"], app["proxies"]), ("app", 1))
        self.assertGreater(app["requests_per_second"], 0)
        self.assertIn((f"r/{zone}", 1), [(each["locality"], each["in_flight"]) for each in app["localities"]])
        waitFor(lambda: self.load()["total"]["in_flight"] == 1, "a report of the held request alone")
        total = self.load()
        self.assertEqual(total["interval_ms"], 400)
        proxies = [(each["id"], each["cluster"], each["counts"]) for each in total["proxies"]]
        self.assertEqual(proxies, [("edge-1", "edge", True)])
        self.assertEqual(self.load("?proxy=other")["clusters"], [])
        self.assertEqual(self.control.status()["load"]["in_flight"], 1)
        code, text = self.cli("load", "app")
        self.assertEqual(code, 0, text)
        self.assertIn(f"r/{zone}", text)
        self.assertIn("1 proxies report ", self.cli("status")[1])

        self.sluice.kill()

        waitFor(lambda: not self.load()["proxies"], "the proxy to be forgotten")
        self.assertEqual(self.load()["clusters"], [])

    def test_an_interval_out_of_range_is_refused(self):
        for value in ("99", "86400001", "x", ""):
            code, text = runTool("sluice-control", "--config", self.scratch.path, "--load-report-interval-ms=" + value)
            self.assertEqual(code, 2)
            self.assertIn("--load-report-interval-ms: takes 100 to 86400000", text)


if __name__ == "__main__":
    unittest.main()
