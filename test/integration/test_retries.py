"""Hosts that fail: requests are sent again by policy, within a budget, and told as such."""
import concurrent.futures
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402

PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": TYPE + "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
}


class RetryTest(SluiceTestCase):
    def serve(self, handlers, policy, cluster_fields=None, **action):
        self.hosts = [self.start(HttpUpstream(handler)) for handler in handlers]
        host = {
            "name": "all",
            "domains": ["*"],
            "include_request_attempt_count": True,
            "include_attempt_count_in_response": True,
            "routes": [route("up", retry_policy=policy, **action)],
        }
        clusters = [cluster("up", *[host.port for host in self.hosts], **(cluster_fields or {}))]
        listener = httpListener("http", virtual_hosts=[host])
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))

    def target(self):
        return ("127.0.0.1", self.sluice.port("http"))

    def test_a_request_that_one_host_refuses_is_answered_by_the_other_with_its_body(self):
        bodies = []

        def good(request):
            bodies.append((request.body, request.header("x-envoy-attempt-count")))
            return Reply(body=b"good")

        policy = {"retry_on": "5xx", "num_retries": 3, "retry_host_predicate": [PREVIOUS_HOSTS],
                  "host_selection_retry_max_attempts": 5}  # fmt: skip
        self.serve([lambda request: Reply(status=503, body=b"bad"), good], policy)

        body = b"x" * 100_000
        answers = [request(self.target(), "POST", "/", body=body) for _ in range(10)]

        self.assertEqual({(answer.status, answer.body) for answer in answers}, {(200, b"good")})
        self.assertEqual({body for body, _ in bodies}, {body})
        self.assertEqual(sorted(count for _, count in bodies),
                         sorted(answer.header("x-envoy-attempt-count") for answer in answers))  # fmt: skip
        again = sum(count == "2" for _, count in bodies)
        self.assertGreaterEqual(again, 5)  # in turn, and each time at the other one
        stats = self.sluice.stats("cluster.up.")
        self.assertEqual(stats["cluster.up.upstream_rq_retry"], again)
        self.assertEqual(stats["cluster.up.upstream_rq_retry_success"], again)
        self.assertEqual(stats["cluster.up.retry.upstream_rq_503"], again)
        self.assertEqual(stats["cluster.up.upstream_rq_200"], 10)

    def test_a_host_that_is_gone_is_not_noticed_by_clients(self):
        self.serve([None, None], {"retry_on": "connect-failure", "num_retries": 3})
        self.hosts[0].stop()

        self.assertEqual({get(self.target()).status for _ in range(20)}, {200})

    def test_a_cluster_that_fails_at_large_gets_little_more_than_what_is_asked_for(self):
        lock, counts = threading.Lock(), {"first": 0, "all": 0}

        def bad(request):
            with lock:
                counts["all"] += 1
                counts["first"] += request.header("x-envoy-attempt-count") == "1"
            time.sleep(0.1)  # so that requests are under way together however slow the clients are
            return Reply(status=503, body=b"bad")

        self.serve([bad, bad], {"retry_on": "5xx", "num_retries": 3})
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: get(self.target()).status, range(1000)))

        self.assertEqual(set(answers), {503})
        self.assertEqual(counts["first"], 1000)
        self.assertLess(counts["all"], 1000 * 1.5)
        self.assertGreater(self.sluice.stats("cluster.up.")["cluster.up.upstream_rq_retry_overflow"], 0)

    def test_a_host_that_is_slow_is_not_noticed_by_clients(self):
        over = threading.Event()

        def slow(request):
            over.wait(60)
            return Reply(body=b"slow")

        policy = {"retry_on": "5xx", "per_try_timeout": "0.1s", "retry_host_predicate": [PREVIOUS_HOSTS],
                  "host_selection_retry_max_attempts": 5}  # fmt: skip
        self.serve([slow, lambda request: Reply(body=b"good")], policy,
                   hedge_policy={"hedge_on_per_try_timeout": True})  # fmt: skip
        self.addCleanup(over.set)

        answers = [get(self.target()) for _ in range(6)]

        self.assertEqual({(answer.status, answer.body) for answer in answers}, {(200, b"good")})
        hedged = sum(answer.header("x-envoy-attempt-count") == "2" for answer in answers)
        self.assertGreaterEqual(hedged, 1)  # in turn
        stats = self.sluice.stats("cluster.up.")
        self.assertEqual(stats["cluster.up.upstream_rq_retry"], hedged)
        self.assertEqual(stats["cluster.up.upstream_rq_tx_reset"], hedged)
        self.assertEqual(stats["cluster.up.upstream_rq_per_try_timeout"], 0)
        self.assertEqual(stats["cluster.up.upstream_rq_active"], 0)

    def test_a_slow_try_still_answers_while_the_one_beside_it_runs(self):
        second, over = threading.Event(), threading.Event()

        def answer(request):
            if request.header("x-envoy-attempt-count") == "1":
                second.wait(60)
                return Reply(body=b"first")
            second.set()
            over.wait(60)
            return Reply(body=b"second")

        self.serve([answer, answer], {"retry_on": "5xx", "per_try_timeout": "0.1s"},
                   hedge_policy={"hedge_on_per_try_timeout": True})  # fmt: skip
        self.addCleanup(over.set)

        reply = get(self.target())

        self.assertEqual((reply.status, reply.body), (200, b"first"))
        self.assertEqual(reply.header("x-envoy-attempt-count"), "2")

    def test_a_stream_that_is_longer_than_its_cluster_allows_is_ended(self):
        over = threading.Event()

        def slow(request):
            over.wait(60)
            return Reply()

        options = {"@type": TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                   "common_http_protocol_options": {"max_stream_duration": "0.2s"},
                   "explicit_http_config": {"http_protocol_options": {}}}  # fmt: skip
        fields = {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}
        self.serve([slow], {"retry_on": "reset", "num_retries": 1}, fields)
        self.addCleanup(over.set)

        reply = get(self.target())

        self.assertEqual((reply.status, reply.body), (504, b"upstream max stream duration reached"))
        self.assertEqual(reply.header("x-envoy-attempt-count"), "2")
        self.assertEqual(self.sluice.stats("cluster.up.")["cluster.up.upstream_rq_max_duration_reached"], 2)


if __name__ == "__main__":
    unittest.main()
