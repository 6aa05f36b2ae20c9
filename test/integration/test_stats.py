"""The statistics of the running binary against the table of those that Envoy publishes."""
import json
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client  # noqa: E402
from harness.config import loadAssignment, routeConfig, socketAddress  # noqa: E402

TABLE = os.path.join(os.path.dirname(__file__), "../conformance/envoy-stats.tsv")
T = "type.googleapis.com/envoy.extensions.filters."


def rows():
    with open(TABLE) as file:
        for line in file:
            if not line.startswith("#"):
                yield line.rstrip("\n").split("\t")


def filtersWithStats():
    service = {"envoy_grpc": {"cluster_name": "up"}}
    never = {"default_value": {"numerator": 0}}
    return [
        {"name": "a", "typed_config": {"@type": T + "http.ext_authz.v3.ExtAuthz", "grpc_service": service}},
        {"name": "b", "typed_config": {"@type": T + "http.ext_proc.v3.ExternalProcessor", "grpc_service": service}},
        {"name": "c", "typed_config": {"@type": T + "http.ratelimit.v3.RateLimit", "domain": "d",
                                       "rate_limit_service": {"grpc_service": service, "transport_api_version": "V3"}}},
        {"name": "d", "typed_config": {"@type": T + "http.local_ratelimit.v3.LocalRateLimit", "stat_prefix": "local",
                                       "filter_enabled": never}},
    ]


class StatsTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.upstream = self.start(HttpUpstream(self.answer))
        listeners = [
            httpListener("http", [route("up", prefix="/slow", timeout="0.1s"), route("up")]),
            httpListener("filtered", [route("up")], filters=filtersWithStats()),
            {"name": "tcp", "address": socketAddress(0), "filter_chains": [{"filters": [
                {"name": "t", "typed_config": {"@type": T + "network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp",
                                               "cluster": "up"}}]}]},
            {"name": "udp", "address": {"socket_address": {"protocol": "UDP", "address": "127.0.0.1", "port_value": 0}},
             "udp_listener_config": {}, "listener_filters": [
                 {"name": "u", "typed_config": {
                     "@type": T + "udp.udp_proxy.v3.UdpProxyConfig", "stat_prefix": "udp",
                     "matcher": {"on_no_match": {"action": {"name": "r", "typed_config": {
                         "@type": T + "udp.udp_proxy.v3.Route", "cluster": "up"}}}}}}]},
        ]
        self.table = routeConfig("table", [route("up")])
        self.assignment = loadAssignment("eds", [self.upstream.port])
        rds = {"route_config_name": "table", "config_source": self.discovered("RouteConfiguration", self.table)}
        listeners.append(httpListener("routed", rds=rds))
        eds = {"name": "eds", "type": "EDS", "eds_cluster_config": {
            "eds_config": self.discovered("ClusterLoadAssignment", self.assignment)}}
        dns = {"name": "dns", "type": "STRICT_DNS", "load_assignment": loadAssignment(
            "dns", [{"socket_address": {"address": "localhost", "port_value": 1}}])}
        watched = cluster("watched", self.upstream.port)
        watched["outlier_detection"] = {}
        watched["health_checks"] = [{"timeout": "1s", "interval": "1s", "healthy_threshold": 1, "unhealthy_threshold": 1,
                                     "http_health_check": {"path": "/"}}]
        tracked = {"thresholds": [{"track_remaining": True}, {"priority": "HIGH", "track_remaining": True}]}
        config = bootstrap(listeners, [cluster("up", self.upstream.port, circuit_breakers=tracked), dns, eds, watched])
        for kind in ("cds", "lds"):
            path = self.scratch.write(kind + ".yaml", "resources: []")
            config.setdefault("dynamic_resources", {})[kind + "_config"] = {"path_config_source": {"path": path}}
        self.sluice = self.start(Sluice(self.scratch, config))
        self.port = self.sluice.port("http")

    @staticmethod
    def answer(request):
        if request.path == "/slow":
            time.sleep(0.5)
        return Reply(500 if request.path == "/bad" else 200)

    def discovered(self, kind, resource):
        """Where the resource is found: a file, written anew."""
        package = {"RouteConfiguration": "route", "ClusterLoadAssignment": "endpoint"}[kind]
        resource = {"@type": f"type.googleapis.com/envoy.config.{package}.v3.{kind}", **resource}
        return {"path_config_source": {"path": self.scratch.write(kind + ".json", json.dumps({"resources": [resource]}))}}

    def exposition(self):
        """Name -> kind, and name -> its label sets."""
        kinds, labels = {}, {}
        for line in self.sluice.admin("/stats/prometheus").body.decode().splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                kinds[name] = kind
            elif line and not line.startswith("#"):
                name, rest = line.split("{", 1)
                tags = dict(re.findall(r'(\w+)="((?:[^"\\\\]|\\\\.)*)"', rest))
                tags.pop("le", None)
                labels.setdefault(re.sub("_(bucket|sum|count)$", "", name) if name not in kinds else name, []).append(tags)
        return kinds, labels

    def instance(self, part, name):
        """The name in this test, its exposition, and the values of the parts that are tags."""
        stands_for = {"CLUSTER": "up", "WATCHED": "watched", "DNS": "dns", "EDS": "eds", "ROUTES": "table", "TCP": "tcp", "UDP": "udp", "LOCAL": "local",
                      "PREFIX": "filtered" if part in ("ext_authz", "ext_proc", "ratelimit") else
                                "routed" if part == "rds" else "http",
                      "ADDRESS": f"127.0.0.1_{self.port}"}
        words = re.split(r"\.", name)
        values = [stands_for[word] for word in words if word in stands_for]
        dotted = ".".join(stands_for.get(word, word) for word in words)
        shown = "envoy_" + "_".join(word for word in words if word not in stands_for)
        code = re.search(r"_rq_(\d)xx$", name)
        if code:
            values.append(code.group(1))
            shown = re.sub(r"\dxx$", "xx", shown)
        return dotted, re.sub(r"[^A-Za-z0-9_]", "_", shown), values

    def test_what_the_table_says_is_here_is_here_with_its_kind_and_tags(self):
        get(self.port)
        kinds, labels = self.exposition()
        dotted_names = {line.split(": ")[0] for line in self.sluice.admin("/stats").body.decode().splitlines()}
        wrong = []
        for part, name, kind, tags, here, _ in rows():
            if here != "yes":
                continue
            dotted, shown, values = self.instance(part, name)
            due = dict(zip(filter(None, tags.split(",")), values))
            if dotted not in dotted_names:
                wrong.append(f"{dotted} is not there")
            elif kinds.get(shown) != kind:
                wrong.append(f"{shown} is a {kinds.get(shown)}, not a {kind}")
            elif due not in labels.get(shown, []):
                wrong.append(f"{shown} has no {due}")
        self.assertEqual(wrong, [])

    def test_what_is_here_stands_in_the_table(self):
        get(self.port)
        known = set()
        for part, name, _, _, here, _ in rows():
            if here == "no":
                continue
            pattern = re.escape(name)
            for word in ("CLUSTER", "WATCHED", "DNS", "EDS", "ROUTES", "PREFIX", "ADDRESS", "TCP", "UDP", "LOCAL", "SERVICE", "METHOD"):
                pattern = re.sub(rf"\b{word}\b", ".+", pattern)
            known.add(re.compile(pattern.replace("GRPC_CODE", r"\d+").replace("CODE", r"\d{3}")))
        unknown = [name for name in (line.split(": ")[0] for line in self.sluice.admin("/stats").body.decode().splitlines())
                   if not any(pattern.fullmatch(name) for pattern in known)]
        self.assertEqual(unknown, [])

    def test_the_table_has_a_reason_for_all_that_is_not_here(self):
        self.assertEqual([name for _, name, _, _, here, note in rows() if here == "no" and note in ("", "-")], [])

    def test_status_codes_are_counted_one_by_one(self):
        get(self.port)
        get(self.port)

        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_200") == 2, "two answers counted by their code")

        _, labels = self.exposition()
        self.assertIn({"envoy_cluster_name": "up", "envoy_response_code": "200"}, labels["envoy_cluster_upstream_rq"])

    def test_bytes_are_counted_while_connections_are_open(self):
        with rawConnection(self.port) as sock:
            sock.sendall(client.requestBytes("GET", "/"))
            readResponse(sock)

            waitFor(lambda: self.sluice.stat("http.http.downstream_cx_tx_bytes_total") > 20, "bytes to the client")
            waitFor(lambda: self.sluice.stat("cluster.up.upstream_cx_tx_bytes_total") > 20, "bytes to the host")
            self.assertEqual(self.sluice.stat("cluster.up.upstream_cx_destroy"), 0)

    def test_the_state_of_the_process_is_told(self):
        stats = self.sluice.stats("server.")
        self.assertEqual((stats["server.live"], stats["server.state"], stats["server.concurrency"]), (1, 0, 1))
        self.assertGreater(stats["server.memory_physical_size"], 1 << 20)
        self.sluice.admin("/healthcheck/fail", "POST")
        stats = self.sluice.stats("server.")
        self.assertEqual((stats["server.live"], stats["server.state"]), (0, 1))

    def test_clusters_are_told_with_their_limits_and_by_name(self):
        text = self.sluice.admin("/clusters?filter=^up$").body.decode()
        for line in ("up::default_priority::max_connections::1024", "up::default_priority::max_pending_requests::1024",
                     "up::default_priority::max_requests::1024", "up::default_priority::max_retries::3",
                     "up::high_priority::max_connections::1024"):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("dns::", text)
        names = [status["name"] for status in self.sluice.adminJson("/clusters?format=json&filter=dn")["cluster_statuses"]]
        self.assertEqual(names, ["dns"])
        self.assertEqual(self.sluice.admin("/clusters?filter=(").status, 400)
        self.assertEqual(self.sluice.admin("/clusters?what=1").status, 400)

    def hostStats(self, name="up"):
        """Of the cluster's one host."""
        lead = f"{name}::127.0.0.1:{self.upstream.port}::"
        text = self.sluice.admin(f"/clusters?filter=^{name}$").body.decode()
        lines = [line[len(lead):].split("::") for line in text.splitlines() if line.startswith(lead)]
        return {key: int(value) for key, value in lines if re.match("(cx|rq)_", key)}

    def test_what_a_host_served_is_told(self):
        for _ in range(3):
            get(self.port)
        served = {"cx_active": 1, "cx_connect_fail": 0, "cx_total": 1,
                  "rq_active": 0, "rq_error": 0, "rq_success": 3, "rq_timeout": 0, "rq_total": 3}
        waitFor(lambda: self.hostStats() == served, "what was served to be counted")
        self.assertEqual(list(self.hostStats()), sorted(self.hostStats()))
        [status] = self.sluice.adminJson("/clusters?format=json&filter=^up$")["cluster_statuses"]
        shown = status["host_statuses"][0]["stats"]
        self.assertEqual({stat["name"]: int(stat.get("value", 0)) for stat in shown}, self.hostStats())
        self.assertEqual([stat["name"] for stat in shown if stat.get("type") == "GAUGE"], ["cx_active", "rq_active"])
        self.assertEqual(self.hostStats("eds")["rq_total"], 0)
        self.upstream.stop()
        waitFor(lambda: self.hostStats()["cx_active"] == 0, "the connection to be gone")
        self.assertEqual(get(self.port).status, 503)
        told = self.hostStats()
        self.assertEqual((told["rq_total"], told["rq_error"], told["cx_connect_fail"], told["cx_total"]), (3, 1, 1, 2))

    def test_what_a_host_failed_is_told(self):
        self.assertEqual([get(self.port, path).status for path in ("/", "/bad", "/slow")], [200, 500, 504])
        told = self.hostStats()
        self.assertEqual([told["rq_" + name] for name in ("total", "success", "error", "timeout")], [3, 1, 2, 1])

    def test_a_connection_of_tcp_proxy_is_told_of_its_host(self):
        with rawConnection(self.sluice.port("tcp")) as sock:
            sock.sendall(client.requestBytes("GET", "/"))
            readResponse(sock)
            told = self.hostStats()
            self.assertEqual((told["cx_active"], told["cx_total"]), (1, 1))
        waitFor(lambda: self.hostStats()["cx_active"] == 0, "the connection to be gone")

    def test_what_came_by_name_is_told_by_name(self):
        for prefix, kind, good, bad in (
            ("cluster.eds.", "ClusterLoadAssignment", self.assignment, {"endpoints": [{"priority": 1000}]}),
            ("http.routed.rds.table.", "RouteConfiguration", self.table, {"virtual_hosts": [{"name": "v"}]}),
        ):
            with self.subTest(kind=kind):
                def told():
                    return {name[len(prefix):]: value for name, value in self.sluice.stats(prefix).items()}

                before = told()
                self.assertEqual((before["update_success"], before["update_rejected"], before["update_attempt"]), (1, 0, 2))
                self.assertGreater(before["update_time"], 1_600_000_000_000)
                self.discovered(kind, {**good, **bad})
                waitFor(lambda: told()["update_rejected"] == 1, "the refusal to be told")
                self.assertEqual((told()["update_success"], told()["update_attempt"]), (1, 3))
                self.discovered(kind, {**good, **{name: [] for name in bad}})
                waitFor(lambda: told()["update_success"] == 2, "the update to be told")
                self.assertEqual(told().get("config_reload", 2), 2)


if __name__ == "__main__":
    unittest.main()
