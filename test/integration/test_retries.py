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


if __name__ == "__main__":
    unittest.main()
