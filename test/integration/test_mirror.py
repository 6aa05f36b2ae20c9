"""Copies of requests: they reach the other cluster, and neither delay nor fail what they are copies of."""
import concurrent.futures
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403


class MirrorTest(SluiceTestCase):
    def serve(self, mirror, policies=None, cluster_fields=None, **action):
        """`mirror`: a handler, or an upstream that is there."""
        self.lock, self.got, self.copies = threading.Lock(), [], []
        self.up = self.start(HttpUpstream(lambda request: self.note(self.got, request, Reply(body=b"up"))))
        if mirror is None or callable(mirror):
            answer = mirror or (lambda request: Reply(body=b"mirror"))
            mirror = self.start(HttpUpstream(lambda request: self.note(self.copies, request, answer(request))))
        self.mirror = mirror
        policies = policies or [{"cluster": "mirror"}]
        listener = httpListener("http", [route("up", request_mirror_policies=policies, **action)])
        clusters = [cluster("up", self.up.port), cluster("mirror", mirror.port, **(cluster_fields or {}))]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))
        self.target = ("127.0.0.1", self.sluice.port("http"))

    def note(self, where, request, reply):
        with self.lock:
            where.append(request)
        return reply

    def stat(self, name):
        return self.sluice.stats("cluster.").get("cluster." + name, 0)

    def test_a_copy_has_all_of_the_request_and_a_host_of_its_own(self):
        self.serve(None)
        body = os.urandom(300_000)

        answer = request(self.target, "POST", "/a?b=c", [("host", "x.example:80"), ("x-a", "1")], body=body)

        self.assertEqual((answer.status, answer.body), (200, b"up"))
        waitFor(lambda: self.copies, "the copy")
        copy = self.copies[0]
        self.assertEqual((copy.method, copy.path, copy.header("x-a")), ("POST", "/a?b=c", "1"))
        self.assertEqual(copy.header("host"), "x.example-shadow:80")
        self.assertEqual(self.got[0].header("host"), "x.example:80")
        self.assertTrue(copy.body == body and self.got[0].body == body)
        waitFor(lambda: self.stat("mirror.upstream_rq_200") == 1, "the answer to the copy")

    def test_a_share_of_the_requests_is_copied(self):
        half = {"default_value": {"numerator": 50, "denominator": "HUNDRED"}}
        self.serve(None, [{"cluster": "mirror", "runtime_fraction": half}])

        for _ in range(400):
            get(self.target)

        self.assertTrue(120 < self.stat("mirror.upstream_rq_total") < 280, self.stat("mirror.upstream_rq_total"))

    def test_a_copy_may_go_where_the_request_says(self):
        self.serve(None, [{"cluster_header": "x-copy-to"}])

        for name in ("mirror", "nobody"):
            self.assertEqual(get(self.target, "/", [("x-copy-to", name)]).body, b"up")
        self.assertEqual(get(self.target).body, b"up")

        waitFor(lambda: self.stat("mirror.upstream_rq_200") == 1, "the answer to the copy")
        self.assertEqual(self.stat("mirror.upstream_rq_total"), 1)

    def test_copies_that_hang_or_fail_are_not_noticed(self):
        hang = threading.Event()
        self.addCleanup(hang.set)

        def bad(request):
            if request.path == "/hang":
                hang.wait(20)
            return Reply(500, b"bad")

        self.serve(bad, timeout="1s")
        for path in ("/fail", "/hang"):
            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                began = time.monotonic()
                answers = list(pool.map(lambda _, path=path: get(self.target, path), range(50)))
                self.assertLess(time.monotonic() - began, 5)
            self.assertEqual({(answer.status, answer.body) for answer in answers}, {(200, b"up")})
        waitFor(lambda: self.stat("mirror.upstream_rq_timeout") == 50, "copies that took too long")

    def test_a_mirror_that_is_not_there_is_not_noticed(self):
        self.serve(None)
        self.mirror.stop()

        self.assertEqual({get(self.target).status for _ in range(50)}, {200})

    def test_a_copy_that_does_not_read_its_body_is_dropped_and_counted(self):
        hang = threading.Event()
        self.addCleanup(hang.set)
        self.serve(self.start(RawUpstream(lambda sock, number: hang.wait(20))))
        body = b"x" * 20_000_000

        answer = request(self.target, "POST", "/", body=body)

        self.assertEqual(answer.status, 200)
        self.assertEqual(len(self.got[0].body), len(body))
        self.assertEqual(self.stat("up.retry_or_shadow_abandoned"), 1)


if __name__ == "__main__":
    unittest.main()
