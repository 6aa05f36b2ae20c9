"""The mirror as it stands, on free ports."""
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, get, request, waitFor  # noqa: E402


class MirrorTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.lock, self.got = threading.Lock(), {"v1": [], "v2": [], "recorder": []}
        self.hosts, ports = {}, {}
        for port, name in {"8081": "v1", "8082": "v2", "8083": "recorder"}.items():
            self.hosts[name] = self.start(HttpUpstream(self.handler(name)))
            ports[port] = self.hosts[name].port
        self.port = self.start(Sluice(self.scratch, exampleConfig(HERE, ports))).port("shop")

    def handler(self, name):
        def answer(request):
            with self.lock:
                self.got[name].append(request)
            return Reply(200 if name == "v1" else 500, name.encode())

        return answer

    def test_every_request_is_answered_by_v1_and_copied_to_v2(self):
        for _ in range(20):
            self.assertEqual(get(self.port, "/a", [("host", "shop.example")]).body, b"v1")

        waitFor(lambda: len(self.got["v2"]) == 20, "20 copies")
        self.assertEqual({copy.header("host") for copy in self.got["v2"]}, {"shop.example-shadow"})
        self.assertEqual(self.got["recorder"], [])

    def test_orders_are_copied_in_part_with_a_mark_and_all_of_them_to_the_recorder(self):
        for i in range(100):
            headers = [("host", "shop.example"), ("authorization", "secret"), ("x-dry-run", "client")]
            answer = request(self.port, "POST", "/orders", headers, body=b"order %d" % i)
            self.assertEqual((answer.status, answer.body), (200, b"v1"))

        self.assertEqual({order.header("x-dry-run") for order in self.got["v1"]}, {None})
        waitFor(lambda: len(self.got["recorder"]) == 100, "100 copies")
        self.assertEqual({copy.header("host") for copy in self.got["recorder"]}, {"shop.example"})
        self.assertEqual({copy.body for copy in self.got["recorder"]}, {b"order %d" % i for i in range(100)})
        marked = [(copy.header("x-dry-run"), copy.header("authorization")) for copy in self.got["v2"]]
        self.assertEqual(set(marked), {("true", None)})
        self.assertTrue(5 <= len(marked) <= 50, len(marked))

    def test_nobody_notices_that_v2_is_gone(self):
        self.hosts["v2"].stop()

        self.assertEqual({get(self.port, "/").status for _ in range(50)}, {200})


if __name__ == "__main__":
    unittest.main()
