"""The API with its roles as it stands, on free ports."""
import http.client
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../gateway"))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402
from make_token import keySet, makeToken  # noqa: E402


class JwtTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        ports = {"8081": self.start(echo.Service()).port}
        text = exampleConfig(HERE, ports).replace("examples/jwt", HERE)
        self.sluice = self.start(Sluice(self.scratch, text))
        self.port = self.sluice.port("api")

    def ask(self, path="/orders", token=None, method="GET", **headers):
        """(answer, its body)"""
        if token:
            headers["authorization"] = "Bearer " + token
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def status(self, *arguments, **more):
        return self.ask(*arguments, **more)[0].status

    def test_the_key_set_is_that_of_the_tokens(self):
        with open(os.path.join(HERE, "jwks.json")) as file:
            self.assertEqual(json.load(file), keySet())

    def test_who_has_no_token_sees_only_that_the_service_is_up(self):
        self.assertEqual(self.ask("/health")[1], b"up\n")
        answer, body = self.ask()
        self.assertEqual((answer.status, body), (401, b"Jwt is missing"))
        self.assertIn("Bearer", answer.getheader("www-authenticate"))

    def test_groups_say_what_one_may_do(self):
        tokens = [makeToken("ann"), makeToken("bob", ["clerks"]), makeToken("eve", ["admins"])]
        table = {
            ("GET", "/orders/7"): [200, 200, 200],
            ("POST", "/orders"): [403, 200, 200],
            ("GET", "/users"): [403, 403, 200],
            ("DELETE", "/orders/../users/7"): [403, 403, 200],
            ("PUT", "/health"): [200, 200, 200],
        }
        for (method, path), statuses in table.items():
            with self.subTest(method=method, path=path):
                self.assertEqual([self.status(path, token, method) for token in tokens], statuses)

    def test_the_log_says_which_rule_refused(self):
        self.assertEqual(self.status("/orders", makeToken("ann"), "POST"), 403)
        self.assertEqual(self.status("/users", makeToken("bob", ["clerks"])), 403)

        for why in ("policy_denied[clerks@route]", "policy_denied[admins@filter]"):
            waitFor(lambda: f'"why":"{why}"' in self.sluice.log(), why)

    def test_tokens_that_are_not_good_are_refused(self):
        good = makeToken("eve", ["admins"])
        bad = {
            "expired": (makeToken("eve", ["admins"], minutes=-5), 401),
            "of another issuer": (makeToken("eve", ["admins"], iss="https://evil.example"), 401),
            "for another API": (makeToken("eve", ["admins"], aud="https://other.example"), 403),
            "changed": (good[:-8] + "AAAAAAAA", 401),
            "without a signature": (good.rpartition(".")[0] + ".", 401),
        }
        for what, (token, status) in bad.items():
            with self.subTest(what=what):
                self.assertEqual(self.status(token=token), status)
        self.assertEqual(self.status(token=good), 200)

    def test_the_service_is_told_who_it_is_and_never_the_token(self):
        _, body = self.ask("/orders?a=1", makeToken("ann"), x_user="root")

        told = json.loads(body)
        self.assertEqual((told["headers"]["x-user"], told["path"]), ("ann", "/orders?a=1"))
        self.assertNotIn("authorization", told["headers"])

        def logged():
            return [json.loads(line) for line in self.sluice.log().splitlines() if '"who":"ann"' in line]

        (entry,) = waitFor(logged, "the access log")
        self.assertEqual((entry["method"], entry["status"]), ("GET", 200))


if __name__ == "__main__":
    unittest.main()
