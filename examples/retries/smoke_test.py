"""Retries and their budget as they stand, on free ports."""
import concurrent.futures
import os
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, get, request, waitFor  # noqa: E402


class RetriesTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.replies = [Reply(200, b"one"), Reply(200, b"two")]
        self.counts, self.lock, self.pause_s = [0, 0], threading.Lock(), 0
        self.hosts = [self.start(HttpUpstream(lambda asked, n=n: self.answer(n))) for n in (0, 1)]
        ports = {"8081": self.hosts[0].port, "8082": self.hosts[1].port}
        self.sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, ports)))
        self.port = self.sluice.port("shop")

    def answer(self, n):
        with self.lock:
            self.counts[n] += 1
        time.sleep(self.pause_s)
        return self.replies[n]

    def test_a_get_that_one_host_fails_is_answered_by_the_other(self):
        self.replies[0] = Reply(503, b"bad")

        answers = [get(self.port) for _ in range(10)]

        self.assertEqual({(answer.status, answer.body) for answer in answers}, {(200, b"two")})
        # How many begin with the failing host depends on where each worker's turn stands, and a retry takes a turn, too.
        counts = [answer.header("x-envoy-attempt-count") for answer in answers]
        self.assertEqual(counts.count("1") + counts.count("2"), 10)
        self.assertEqual(counts.count("2"), self.counts[0])
        self.assertGreater(self.counts[0], 0)
        waitFor(lambda: "GET / 200 - attempts=2 hosts=127.0.0.1:" in self.sluice.log(), "an entry of two attempts")

    def test_a_post_is_sent_again_only_if_no_host_has_begun_with_it(self):
        self.replies[0] = Reply(503, b"bad")
        statuses = {request(self.port, "POST", "/", body=b"order").status for _ in range(10)}
        self.assertEqual(statuses, {200, 503})
        self.assertEqual(sum(self.counts), 10)

        self.hosts[0].stop()
        statuses = {request(self.port, "POST", "/", body=b"order").status for _ in range(10)}
        self.assertEqual(statuses, {200})

    def test_a_shop_that_fails_gets_little_more_than_it_is_asked_for(self):
        self.replies = [Reply(503, b"bad"), Reply(503, b"bad")]
        self.pause_s = 0.1  # so that requests are under way together however slow the clients are

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: get(self.port), range(800)))

        self.assertEqual({answer.status for answer in answers}, {503})
        self.assertEqual({answer.header("x-sluice-retry-refused") for answer in answers}, {None})
        self.assertLess(sum(self.counts), 800 * 1.5)
        self.assertGreater(self.sluice.stat("cluster.shop.upstream_rq_retry_overflow"), 0)
        waitFor(lambda: "refused=too_many_retries" in self.sluice.log(), "an entry that says why")


if __name__ == "__main__":
    unittest.main()
