"""Hosts that are not well get no requests: active checks, outlier detection, and what is told of both."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403


class Host:
    """An upstream that answers /up and everything else with a status of its own."""

    def __init__(self, case):
        self.up = 200
        self.status = 200
        self.headers = []
        self.server = case.start(HttpUpstream(self.answer))
        self.port = self.server.port

    def answer(self, request):
        return Reply(self.up if request.path == "/up" else self.status, str(self.port).encode(), self.headers)


def check(**kind):
    return {"timeout": "2s", "interval": "0.05s", "no_traffic_interval": "0.05s", "healthy_threshold": 2,
            "unhealthy_threshold": 2, **(kind or {"http_health_check": {"path": "/up"}})}


class HealthTest(SluiceTestCase):
    def proxy(self, count=2, top=None, **fields):
        self.hosts = [Host(self) for _ in range(count)]
        never_panic = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}}
        config = bootstrap([httpListener("http", [route("up")])],
                           [cluster("up", *[host.port for host in self.hosts], **never_panic, **fields)], **(top or {}))
        self.sluice = self.start(Sluice(self.scratch, config, concurrency=2))
        self.listener = self.sluice.port("http")

    def flags(self):
        """Of each host, in order."""
        lines = self.sluice.admin("/clusters").body.decode().splitlines()
        return [line.split("::")[3] for host in self.hosts for line in lines
                if line.startswith(f"up::127.0.0.1:{host.port}::health_flags::")]

    def waitForFlags(self, *flags):
        waitFor(lambda: self.flags() == list(flags), f"health flags {flags}")

    def servedBy(self):
        """The hosts that answer a number of requests; 0 for the proxy itself."""
        bodies = [get(self.listener) for _ in range(12)]
        return {int(answer.body) if answer.body.isdigit() else 0 for answer in bodies}

    def waitUntilServedBy(self, *hosts):
        """Workers hear of a change after admin tells it."""
        ports = {host.port for host in hosts}
        waitFor(lambda: self.servedBy() == ports, f"answers of {ports} only")

    def test_a_host_that_fails_its_checks_gets_no_requests_until_it_passes_them_again(self):
        self.proxy(health_checks=[check()])
        first, second = self.hosts
        self.assertEqual(self.flags(), ["healthy", "healthy"])
        self.assertEqual(self.servedBy(), {first.port, second.port})

        first.up = 503
        self.waitForFlags("/failed_active_hc", "healthy")
        self.waitUntilServedBy(second)
        self.assertIn(f"up::127.0.0.1:{first.port}::health_reason::check failed: the status is not among expected_statuses "
                      "(status 503)", self.sluice.admin("/clusters").body.decode().splitlines())

        first.up = 200
        self.waitForFlags("healthy", "healthy")
        self.waitUntilServedBy(first, second)
        stats = self.sluice.stats("cluster.up.")
        self.assertEqual(stats["cluster.up.health_check.healthy"], 2)
        self.assertGreater(stats["cluster.up.health_check.failure"], 0)

    def test_a_host_that_is_not_there_at_the_start_gets_no_request(self):
        gone = Host(self)
        gone.server.stop()
        host = Host(self)
        config = bootstrap([httpListener("http", [route("up")])], [cluster("up", host.port, gone.port, health_checks=[check()])])
        self.sluice = self.start(Sluice(self.scratch, config))
        self.listener = self.sluice.port("http")

        self.assertEqual(self.servedBy(), {host.port})

    def test_checks_of_tcp_connect(self):
        self.proxy(health_checks=[check(tcp_health_check={})])
        first, second = self.hosts

        self.assertEqual(self.flags(), ["healthy", "healthy"])
        first.server.stop()

        self.waitForFlags("/failed_active_hc", "healthy")

    def test_a_check_may_go_by_another_transport_than_the_hosts_requests(self):
        sockets = "type.googleapis.com/envoy.extensions.transport_sockets."
        tls = {"name": "tls", "typed_config": {"@type": sockets + "tls.v3.UpstreamTlsContext"}}
        plain = {"name": "plain", "match": {"of": "checks"}, "transport_socket": {
            "name": "raw", "typed_config": {"@type": sockets + "raw_buffer.v3.RawBuffer"}}}
        criteria = {"transport_socket_match_criteria": {"of": "checks"}, "tls_options": {"alpn_protocols": ["health"]}}
        self.proxy(count=1, transport_socket=tls, transport_socket_matches=[plain], health_checks=[{**check(), **criteria}])

        self.waitForFlags("healthy")
        self.assertGreater(self.sluice.stat("cluster.up.health_check.success"), 0)
        self.assertEqual(get(self.listener).status, 503)  # the host does not speak TLS

    def test_a_host_is_well_when_each_of_several_checks_says_so(self):
        elsewhere = {"http_health_check": {"path": "/other"}}
        log = self.scratch.join("checks.log")
        self.proxy(health_checks=[check(tcp_health_check={}), {**check(**elsewhere), "event_log_path": log}])
        first, second = self.hosts
        self.assertEqual(self.flags(), ["healthy", "healthy"])

        first.status = 503
        self.waitForFlags("/failed_active_hc", "healthy")
        self.assertEqual(self.servedBy(), {second.port})
        reason = "health_checks[1] (HTTP): check failed: the status is not among expected_statuses (status 503)"
        self.assertIn(f"up::127.0.0.1:{first.port}::health_reason::{reason}",
                      self.sluice.admin("/clusters").body.decode().splitlines())
        stats = self.sluice.stats("cluster.up.health_check.")
        self.assertEqual(stats["cluster.up.health_check.0.failure"], 0)
        self.assertGreater(stats["cluster.up.health_check.1.failure"], 0)

        first.status = 200
        self.waitForFlags("healthy", "healthy")

        def events():
            with open(log) as file:
                lines = [json.loads(line) for line in file]
            return [name for line in lines for name in line if name.endswith("_event")]

        waitFor(lambda: events()[-2:] == ["eject_unhealthy_event", "add_healthy_event"], "the events of the second check")

    def test_a_host_that_asks_to_be_failed_is_and_its_clients_do_not_hear_of_it(self):
        self.proxy(health_checks=[{**check(), "interval": "60s", "no_traffic_interval": "60s"}])
        first, second = self.hosts
        first.headers = [("x-envoy-immediate-health-check-fail", "true")]

        answers = [get(self.listener) for _ in range(6)]
        self.waitForFlags("/failed_active_hc/excluded_via_immediate_hc_fail", "healthy")
        self.assertEqual(self.servedBy(), {second.port})
        self.assertIn(str(first.port).encode(), [answer.body for answer in answers])
        for answer in answers:
            self.assertIsNone(answer.header("x-envoy-immediate-health-check-fail"))

    def test_a_host_of_errors_is_ejected_and_comes_back(self):
        log = self.scratch.join("outliers.log")
        self.proxy(top={"cluster_manager": {"outlier_detection": {"event_log_path": log}}},
                   outlier_detection={"interval": "0.1s", "base_ejection_time": "0.5s", "max_ejection_percent": 10})
        first, second = self.hosts
        first.status = 500

        # It comes back now and then as long as it fails, each time for a few requests.
        waitFor(lambda: self.servedBy() == {second.port} and self.flags() == ["/failed_outlier_check", "healthy"],
                "the host to be ejected")
        first.status = 200
        self.waitUntilServedBy(first, second)
        self.assertEqual(self.sluice.stat("cluster.up.outlier_detection.ejections_active"), 0)

        def events():
            with open(log) as file:
                lines = [json.loads(line) for line in file]
            return [(line["action"], line["upstream_url"], line.get("type")) for line in lines[:2]]

        host = f"127.0.0.1:{first.port}"
        waitFor(lambda: events() == [("EJECT", host, "CONSECUTIVE_5XX"), ("UNEJECT", host, None)], "two events")

    def test_where_all_fail_no_more_than_one_is_ejected(self):
        self.proxy(count=3, outlier_detection={"interval": "10s", "max_ejection_percent": 10})
        for host in self.hosts:
            host.status = 503

        waitFor(lambda: self.servedBy() and self.sluice.stat("cluster.up.outlier_detection.ejections_overflow") > 0,
                "an ejection that is one too many")
        self.assertEqual(self.sluice.stat("cluster.up.outlier_detection.ejections_active"), 1)
        self.assertIn("hosts are, one more would exceed 10%", self.sluice.admin("/clusters").body.decode())


if __name__ == "__main__":
    unittest.main()
