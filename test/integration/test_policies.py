"""Policies that choose hosts by what hosts and requests say: by the load that hosts report, by a host that the request names,
and among some hosts only."""
import collections
import concurrent.futures
import os
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.process import waitFor  # noqa: E402

POLICIES = "envoy.extensions.load_balancing_policies."
ROUND_ROBIN = {"@type": TYPE + POLICIES + "round_robin.v3.RoundRobin"}


def policy(typed_config):
    return {"policies": [{"typed_extension_config": {"name": "p", "typed_config": typed_config}}]}


class PolicyTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.lock, self.served = threading.Lock(), collections.Counter()

    def host(self, number, reply):
        def answer(request):
            with self.lock:
                self.served[number] += 1
            return reply()

        return self.start(HttpUpstream(answer))

    def serve(self, replies, typed_config, cluster_fields=None, **action):
        self.hosts = [self.host(number, reply) for number, reply in enumerate(replies)]
        targets = [host.port for host in self.hosts]
        fields = {"load_balancing_policy": policy(typed_config), **(cluster_fields or {})}
        clusters = [cluster("up", *targets, **fields)]
        listener = httpListener("http", [route("up", **action)])
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))

    def ask(self, count=1, **more):
        target = ("127.0.0.1", self.sluice.port("http"))
        return [request(target, "GET", "/", **more).status for _ in range(count)]

    def test_hosts_get_requests_by_the_load_that_they_report(self):
        def busy():  # in the head, as text
            return Reply(headers=[("endpoint-load-metrics", "TEXT rps_fractional=100,cpu_utilization=0.9")])

        def idle():  # in the trailers, as JSON
            report = 'JSON {"rps_fractional": 100, "named_metrics": {"gpu": 0.3}, "cpu_utilization": 0.9}'
            return Reply(body=[b"ok"], trailers=[("endpoint-load-metrics", report)])

        weighted = {
            "@type": TYPE + POLICIES + "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
            "blackout_period": "0s",
            "weight_update_period": "0.1s",
            "metric_names_for_computing_utilization": ["named_metrics.gpu"],
        }
        self.serve([busy, idle], {"@type": TYPE + POLICIES + "wrr_locality.v3.WrrLocality",
                                  "endpoint_picking_policy": policy(weighted)},
                   {"http_protocol_options": {"enable_trailers": True}})  # fmt: skip
        self.ask(40)
        time.sleep(0.3)
        self.served.clear()

        self.assertEqual(set(self.ask(400)), {200})

        self.assertAlmostEqual(self.served[1], 300, delta=20)

    def test_a_host_is_asked_for_its_load_by_a_stream_and_again_when_that_ends(self):
        import grpc

        asked = []

        def reports(request, context):
            asked.append(request)
            for _ in range(2):
                yield struct.pack("<BdBd", 0x09, 0.5, 0x31, 100.0)  # cpu_utilization, rps_fractional

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        methods = {"StreamCoreMetrics": grpc.unary_stream_rpc_method_handler(reports)}
        service = "xds.service.orca.v3.OpenRcaService"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(0))
        by_stream = policy({
            "@type": TYPE + POLICIES + "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
            "enable_oob_load_report": True,
            "oob_reporting_period": "0.25s",
        })  # fmt: skip
        clusters = [cluster("up", port, load_balancing_policy=by_stream)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", [route("up")])], clusters)))

        stat = "cluster.up.lb_orca_oob."
        waitFor(lambda: self.sluice.stat(stat + "reports_received") >= 4, "the reports of two streams")

        self.assertEqual(asked[0], b"\x0a\x07\x08\x00\x10\x80\xe5\x9a\x77")  # report_interval: 250,000,000 ns
        self.assertGreaterEqual(self.sluice.stat(stat + "stream_terminated"), 1)
        self.assertEqual(self.sluice.stat(stat + "report_errors"), 0)
        self.assertEqual(self.sluice.stat(stat + "stream_failures"), 0)

    def test_requests_go_to_the_host_that_they_name_and_retries_to_the_next_one_named(self):
        override = {
            "@type": TYPE + POLICIES + "override_host.v3.OverrideHost",
            "override_host_sources": [{"header": "X-Host"}],
            "fallback_policy": policy(ROUND_ROBIN),
        }
        stranger = self.host("stranger", Reply)
        self.serve([Reply] * 3, override, retry_policy={"retry_on": "connect-failure", "num_retries": 1})
        names = [f"127.0.0.1:{host.port}" for host in self.hosts]

        self.assertEqual(self.ask(5, headers=[("x-host", names[2])]), [200] * 5)
        self.assertEqual(self.served, {2: 5})
        self.ask(6, headers=[("x-host", f"127.0.0.1:{stranger.port}")])
        self.assertEqual(self.served["stranger"], 0)
        self.assertEqual(sum(self.served.values()), 11)

        self.served.clear()
        self.hosts[0].stop()
        self.assertEqual(self.ask(4, headers=[("x-host", f"{names[0]}, {names[1]}")]), [200] * 4)
        self.assertEqual(self.served, {1: 4})

    def test_a_subset_of_the_hosts_gets_all_requests(self):
        self.serve([Reply] * 6, {"@type": TYPE + POLICIES + "random_subsetting.v3.RandomSubsetting", "subset_size": 2,
                                 "child_policy": policy(ROUND_ROBIN)})  # fmt: skip
        self.ask(20)

        self.assertEqual(len(self.served), 2)
        self.assertEqual(sum(self.served.values()), 20)


if __name__ == "__main__":
    unittest.main()
