"""The gateway as it stands, on free ports."""
import gzip
import http.client
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402

ALLOW_ORIGIN = "access-control-allow-origin"


class GatewayTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        ports = {"8081": self.start(echo.Service()).port}
        self.sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, ports)))
        self.port = self.sluice.port("gateway")

    def ask(self, path, client="127.0.0.1", method="GET", **headers):
        """(answer, its body) for a client with this address."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(client, 0))
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def test_a_request_arrives_with_ids_and_without_what_clients_may_not_say(self):
        answer, body = self.ask("/api/orders/7?x=1", x_authenticated_user="root", x_client_address="10.9.9.9")

        told = json.loads(body)
        self.assertEqual((answer.status, told["path"]), (200, "/orders/7?x=1"))
        self.assertNotIn("x-authenticated-user", told["headers"])
        self.assertEqual(told["headers"]["x-client-address"], "127.0.0.1")
        self.assertTrue(told["headers"]["x-request-id"])
        self.assertEqual(told["headers"]["x-correlation-id"], told["headers"]["x-request-id"])
        self.assertEqual(answer.getheader("x-request-id"), told["headers"]["x-request-id"])
        self.assertEqual(answer.getheader("x-correlation-id"), told["headers"]["x-request-id"])
        self.assertEqual(answer.getheader("x-content-type-options"), "nosniff")
        self.assertIsNone(answer.getheader("x-powered-by"))

    def test_a_correlation_id_is_kept_and_logged(self):
        answer, body = self.ask("/api/orders", x_correlation_id="order-7")

        self.assertEqual(json.loads(body)["headers"]["x-correlation-id"], "order-7")
        self.assertEqual(answer.getheader("x-correlation-id"), "order-7")

        def logged():
            lines = [line for line in self.sluice.log().splitlines() if '"order-7"' in line]
            return json.loads(lines[0]) if lines else None

        entry = waitFor(logged, "the access log")
        self.assertEqual((entry["path"], entry["request_id"]), ("/api/orders", answer.getheader("x-request-id")))

    def test_one_origin_may_call_and_preflights_are_answered_here(self):
        preflight = {"method": "OPTIONS", "access_control_request_method": "PUT"}

        allowed, body = self.ask("/api/orders", origin="https://app.example", **preflight)
        self.assertEqual((allowed.status, body, allowed.getheader(ALLOW_ORIGIN)), (200, b"", "https://app.example"))
        self.assertIn("PUT", allowed.getheader("access-control-allow-methods"))
        refused, body = self.ask("/api/orders", origin="https://evil.example", **preflight)
        self.assertEqual((refused.status, body, refused.getheader(ALLOW_ORIGIN)), (200, b"", None))

        self.assertEqual(self.ask("/api/orders", origin="https://app.example")[0].getheader(ALLOW_ORIGIN), "https://app.example")
        self.assertIsNone(self.ask("/api/orders", origin="https://evil.example")[0].getheader(ALLOW_ORIGIN))

    def test_a_client_above_its_rate_is_refused_and_another_is_not(self):
        ask = lambda **more: self.ask("/api/reports/may", origin="https://app.example", x_correlation_id="r", **more)  # noqa: E731

        answers = [ask() for _ in range(3)]

        self.assertEqual([answer.status for answer, _ in answers], [200, 200, 429])
        refused, body = answers[2]
        self.assertTrue(1 <= int(refused.getheader("retry-after")) <= 60)
        self.assertEqual(refused.getheader("x-ratelimit-remaining"), "0")
        self.assertEqual(json.loads(body)["correlation_id"], "r")
        self.assertEqual(refused.getheader(ALLOW_ORIGIN), "https://app.example")
        self.assertEqual(ask(client="127.0.0.2")[0].status, 200)
        self.assertEqual(self.ask("/api/orders")[0].status, 200)

    def test_answers_are_compressed_for_who_accepts_it(self):
        padding = {"x_padding": "x" * 500}

        answer, body = self.ask("/api/orders", accept_encoding="gzip", **padding)
        self.assertEqual(answer.getheader("content-encoding"), "gzip")
        self.assertEqual(json.loads(gzip.decompress(body))["path"], "/orders")
        answer, body = self.ask("/api/orders", **padding)
        self.assertEqual((answer.getheader("content-encoding"), json.loads(body)["path"]), (None, "/orders"))
        self.assertIn("accept-encoding", answer.getheader("vary"))

    def test_administration_is_for_one_address_however_its_path_is_spelled(self):
        for path in ("/admin", "/admin/users", "/api/../admin/users", "/%61dmin/users", "/api/%2e%2e/admin"):
            with self.subTest(path=path):
                answer, body = self.ask(path, x_forwarded_for="127.0.0.2")
                self.assertEqual((answer.status, json.loads(body)["error"]), (403, "RBAC: access denied"))
        answer, body = self.ask("/admin/users", client="127.0.0.2")
        self.assertEqual((answer.status, json.loads(body)["path"]), (200, "/admin/users"))

    def test_a_service_that_takes_too_long_and_paths_that_are_not_there_are_errors_in_json(self):
        cases = (("/api/orders?sleep=30", 504, "upstream request timeout"), ("/other", 404, "no such path"))
        for path, status, error in cases:
            with self.subTest(path=path):
                answer, body = self.ask(path, x_correlation_id="lost")
                self.assertEqual(answer.status, status)
                self.assertEqual(json.loads(body), {"status": status, "error": error, "correlation_id": "lost"})


if __name__ == "__main__":
    unittest.main()
