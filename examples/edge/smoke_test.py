"""The edge example as it stands, on free ports."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig  # noqa: E402
from harness import get, rawConnection, readResponse, waitFor  # noqa: E402
from harness.client import reader, requestBytes  # noqa: E402


class EdgeTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.web = [self.start(HttpUpstream(lambda request, n=n: Reply(200, b"web %d" % n))) for n in (1, 2)]
        self.api = self.start(HttpUpstream(lambda request: Reply(200, f"api {request.path}".encode())))
        ports = {"8081": self.web[0].port, "8082": self.web[1].port, "8083": self.api.port}
        self.sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, ports)))
        self.port = self.sluice.port("edge")

    def get(self, path, host="shop.example"):
        return get(self.port, path, host=host)

    def test_each_route_does_what_the_readme_says(self):
        self.assertEqual(self.get("/health").body, b"ok\n")
        self.assertEqual(self.get("/api/users?id=1").body, b"api /users?id=1")
        self.assertEqual({self.get("/").body for _ in range(4)}, {b"web 1", b"web 2"})
        moved = self.get("/old/page", host="www.shop.example")
        self.assertEqual((moved.status, moved.header("location")), (308, "http://www.shop.example/new/page"))
        self.assertEqual(self.get("/", host="other.example").status, 404)

    def test_each_answer_has_a_request_id_and_the_added_header(self):
        response = self.get("/")

        self.assertTrue(response.header("x-request-id"))
        self.assertEqual(response.header("x-content-type-options"), "nosniff")

    def test_each_request_is_a_line_of_json_on_standard_output(self):
        self.get("/api/logged")

        def logged():
            lines = [line for line in self.sluice.log().splitlines() if "/api/logged" in line]
            return json.loads(lines[0]) if lines else None

        line = waitFor(logged, "the access log")
        self.assertEqual((line["method"], str(line["status"]), line["client"]), ("GET", "200", "127.0.0.1"))

    def test_requests_above_the_rate_are_answered_429(self):
        # All at once, so that no machine is too slow for them to be too many.
        with rawConnection(self.port) as sock:
            sock.sendall(requestBytes("GET", "/health", host="shop.example") * 400)
            source = reader(sock)
            statuses = [readResponse(source).status for _ in range(400)]

        self.assertIn(429, statuses)
        self.assertIn(200, statuses)


if __name__ == "__main__":
    unittest.main()
