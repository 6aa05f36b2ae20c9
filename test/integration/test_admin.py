"""The admin pages that tools read: names and shapes are Envoy's."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.pki import contentOf  # noqa: E402


class AdminTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.upstream = self.start(HttpUpstream())
        listeners = [httpListener("http", [route("up")])]
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", self.upstream.port)])))
        self.port = self.sluice.port("http")

    def test_the_metadata_of_a_cluster_is_in_the_dump_and_in_logs(self):
        def metadata(value):
            return {"filter_metadata": {"team": {"name": value}}}

        up = cluster("up", self.upstream.port, metadata=metadata("edge"))
        up["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["metadata"] = metadata("canary")
        text = "%CLUSTER_METADATA(team:name)% %METADATA(UPSTREAM_HOST:team:name)%\n"
        log = self.scratch.join("access.log")
        listeners = [httpListener("http", [route("up")], access_log=[fileLog(log, text)])]
        proxy = self.start(Sluice(self.scratch, bootstrap(listeners, [up])))

        self.assertEqual(get(proxy.port("http")).status, 200)

        waitFor(lambda: contentOf(log) == "edge canary\n", "the line")
        dump = json.dumps(proxy.adminJson("/config_dump?include_eds"))
        self.assertIn('{"team": {"name": "edge"}}', dump)
        self.assertIn('{"team": {"name": "canary"}}', dump)

    def test_requests_to_the_admin_are_logged_as_its_access_logs_say(self):
        config = bootstrap([httpListener("http", [route("up")])], [cluster("up", self.upstream.port)])
        config["admin"]["access_log_path"] = self.scratch.join("plain.log")
        format = {
            "json_format": {"path": "%REQ(:PATH)%", "code": "%RESPONSE_CODE%", "none": "%REQ(X)%"},
            "omit_empty_values": True,
            "json_format_options": {"sort_properties": False},
        }
        config["admin"]["access_log"] = [fileLog(self.scratch.join("json.log"), format)]
        proxy = self.start(Sluice(self.scratch, config))

        self.assertEqual(proxy.admin("/nonsense?a=b").status, 404)

        waitFor(lambda: '{"code":404,"path":"/nonsense?a=b"}\n' in contentOf(self.scratch.join("json.log")), "the line in JSON")
        waitFor(lambda: '"GET /nonsense?a=b HTTP/1.1" 404 - 0 ' in contentOf(self.scratch.join("plain.log")), "the default line")

    def test_the_process_logs_as_its_bootstrap_or_its_command_line_says(self):
        config = bootstrap([httpListener("http", [route("up")])], [cluster("up", self.upstream.port)])
        config["application_log_config"] = {"log_format": {"json_format": {"level": "%l", "of": "%n", "text": "%j"}}}

        proxy = self.start(Sluice(self.scratch, config))
        lines = [json.loads(line) for line in proxy.log().splitlines() if line.startswith("{")]
        self.assertIn(("info", "admin"), [(line["level"], line["of"]) for line in lines])
        proxy = self.start(Sluice(self.scratch, config, args=["--log-format", "<%l> %v"]))
        self.assertIn("<info> admin pages on ", proxy.log())

    def test_ready_and_server_info_say_that_it_is_live(self):
        self.assertEqual(self.sluice.admin("/ready").body.strip(), b"LIVE")
        self.assertEqual(self.sluice.adminJson("/server_info")["state"], "LIVE")

    def test_requests_are_counted_under_the_names_that_users_know(self):
        for _ in range(3):
            get(self.port)

        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_2xx") == 3, "three answers counted upstream")
        waitFor(lambda: self.sluice.stat("http.http.downstream_rq_2xx") == 3, "three answers counted downstream")
        self.assertEqual(self.sluice.stat("cluster.up.upstream_rq_total"), 3)

    def test_stats_come_as_text_json_and_prometheus(self):
        get(self.port)

        names = {stat.get("name") for stat in self.sluice.adminJson("/stats?format=json")["stats"]}
        prometheus = self.sluice.admin("/stats/prometheus")

        self.assertIn("cluster.up.upstream_rq_total", names)
        self.assertIn(b"# TYPE envoy_cluster_upstream_rq_total counter", prometheus.body)
        self.assertIn(b'envoy_cluster_name="up"', prometheus.body)

    def test_clusters_and_listeners_are_told_in_text_and_json(self):
        self.assertIn(f"up::127.0.0.1:{self.upstream.port}::".encode(), self.sluice.admin("/clusters").body)
        statuses = self.sluice.adminJson("/clusters?format=json")["cluster_statuses"]
        self.assertIn("up", {status["name"] for status in statuses})
        self.assertIn(f"http::127.0.0.1:{self.port}".encode(), self.sluice.admin("/listeners").body)

    def test_the_configuration_is_dumped(self):
        dump = json.dumps(self.sluice.adminJson("/config_dump"))

        self.assertIn("envoy.admin.v3.ListenersConfigDump", dump)
        self.assertIn("envoy.admin.v3.ClustersConfigDump", dump)

    def dumped(self, query):
        return self.sluice.adminJson("/config_dump?" + query).get("configs", [])

    def test_inline_routes_and_hosts_of_static_clusters_are_dumped(self):
        (routes,) = self.dumped("resource=static_route_configs")
        (endpoints,) = self.dumped("include_eds&resource=static_endpoint_configs")

        self.assertEqual(routes["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"], "up")
        (endpoint,) = endpoints["endpoint_config"]["endpoints"][0]["lb_endpoints"]
        self.assertEqual(endpoint["endpoint"]["address"]["socket_address"]["port_value"], self.upstream.port)
        self.assertEqual(endpoint["health_status"], "HEALTHY")

    def test_a_mask_leaves_the_fields_that_it_names(self):
        (clusters,) = self.dumped("mask=static_clusters.cluster.name")
        kind = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
        self.assertEqual(clusters["static_clusters"], [{"cluster": {"@type": kind, "name": "up"}}])
        (one,) = self.dumped("resource=static_listeners&mask=listener.name&name_regex=h.*")
        self.assertEqual(one["listener"]["name"], "http")
        self.assertNotIn("last_updated", one)

        for query, word in (
            ("mask=static_clusters.nmae", "static_clusters.nmae"),
            ("mask=a..b", "a..b"),
            ("name_regex=(", "regular expression"),
            ("resource=bootstrap", "static_clusters"),
            ("maks=a", "maks"),
        ):
            with self.subTest(query=query):
                refused = self.sluice.admin("/config_dump?" + query)
                self.assertEqual(refused.status, 400)
                self.assertIn(word, refused.body.decode())

    def test_the_status_for_csds_has_what_stands_in_the_bootstrap(self):
        (own,) = self.sluice.adminJson("/csds")["config"]

        known = {item["name"]: item for item in own["generic_xds_configs"]}
        self.assertEqual(set(known), {"up", "http"})
        self.assertTrue(known["up"]["is_static_resource"])

    def test_an_action_by_get_is_refused_and_an_unknown_page_is_404(self):
        for path in ("/quitquitquit", "/drain_listeners", "/logging"):
            with self.subTest(path=path):
                self.assertEqual(self.sluice.admin(path).status, 405)
        self.assertEqual(self.sluice.admin("/nonsense").status, 404)

    def test_the_log_level_changes_while_it_runs(self):
        self.assertEqual(self.sluice.admin("/logging?level=debug", "POST").status, 200)
        self.assertEqual(self.sluice.admin("/logging?level=shout", "POST").status, 400)

    def test_without_an_admin_block_there_is_no_admin_server(self):
        text = bootstrap([httpListener("http", [directResponse(200)])], [])
        del text["admin"]

        sluice = self.start(Sluice(self.scratch, text, wait=False))

        with self.assertRaises(AssertionError):
            waitFor(lambda: os.path.exists(sluice.admin_path), "an admin address", 1)
        sluice.mustRun()


if __name__ == "__main__":
    unittest.main()
