"""The scripts as they stand, on free ports."""
import http.client
import json
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../gateway"))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
from harness import Sluice, SluiceTestCase, binary, exampleConfig, waitFor  # noqa: E402

JSON = {"content-type": "application/json"}


class LuaTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        ports = {"8081": self.start(echo.Service()).port}
        self.text = exampleConfig(HERE, ports).replace("examples/lua/", HERE + "/")
        self.sluice = self.start(Sluice(self.scratch, self.text))
        self.port = self.sluice.port("shops")

    def ask(self, path, body=None, headers=(), host="acme.shop.example"):
        """(answer, its body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET" if body is None else "POST", path, body, {"host": host, **dict(headers)})
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        return answer, told

    def test_the_tenant_is_told_to_the_service_and_to_the_log(self):
        answer, body = self.ask("/", headers={"x-plan": "platinum", "x-tenant": "initech"}, host="acme.shop.example:10000")

        seen = json.loads(body)["headers"]
        self.assertEqual((answer.status, seen["x-tenant"], seen["x-plan"]), (200, "acme", "gold"))
        self.assertEqual((answer.getheader("x-script"), answer.getheader("x-powered-by")), ("tenants", None))
        waitFor(lambda: "GET / 200 tenant=acme" in self.sluice.log(), "the tenant in the log")

    def test_who_is_no_tenant_is_refused(self):
        for host in ("mallory.example", "mallory.shop.example", "acme.shop.example.org", "127.0.0.1"):
            with self.subTest(host=host):
                answer, body = self.ask("/", host=host)
                self.assertEqual((answer.status, body), (404, b"no such shop\n"))
        self.assertEqual(self.sluice.stat("cluster.shop.upstream_rq_total"), 0)

    def test_16_digits_in_a_row_get_neither_in_nor_out(self):
        review = json.dumps({"text": "card 4111111111111111, order 12345678901234567"})

        answer, body = self.ask("/reviews?card=4111111111111111", review, JSON)

        told = json.loads(body)
        self.assertEqual(json.loads(told["body"]), {"text": "card ************1111, order 12345678901234567"})
        self.assertEqual(told["path"], "/reviews?card=************1111")
        self.assertEqual(int(answer.getheader("content-length")), len(body))
        waitFor(lambda: "1 numbers taken out" in self.sluice.log(), "what the script logs")

    def test_bodies_that_a_script_does_not_take_are_refused(self):
        self.assertEqual(self.ask("/reviews", "text")[0].status, 415)
        self.assertEqual(self.ask("/reviews", "x" * 70000, JSON)[0].status, 413)
        self.assertEqual(self.ask("/plain", "x" * 70000, JSON)[0].status, 200)
        self.assertEqual(self.sluice.stat("cluster.shop.upstream_rq_total"), 1)

    def test_routes_have_scripts_of_their_own_or_none(self):
        answer, body = self.ask("/hello", host="any")
        self.assertEqual((answer.status, body), (200, b"good morning\n"))
        answer, body = self.ask("/plain", host="any")
        self.assertEqual((answer.status, answer.getheader("x-powered-by")), (200, "python"))
        self.assertNotIn("x-tenant", json.loads(body)["headers"])

    def test_a_script_that_never_ends_costs_its_own_request_only(self):
        self.assertEqual(self.ask("/endless")[0].status, 500)
        self.assertEqual(self.ask("/")[0].status, 200)
        self.assertEqual(self.sluice.stat("http.shops.lua.errors"), 1)
        # Of the two bounds a busy machine meets that of time first.
        place = re.compile("source_code:2: the script took too (many instructions|much time)")
        waitFor(lambda: place.search(self.sluice.log()), "the place in the log")
        waitFor(lambda: "GET /endless 500 tenant=- lua_script_error" in self.sluice.log(), "the entry of the request")

    def test_a_script_that_does_not_load_is_refused_with_its_line(self):
        with open(os.path.join(HERE, "scrub.lua")) as file:
            broken = self.scratch.write("broken.lua", file.read().replace("local function", "local functoin"))
        config = self.scratch.write("broken.yaml", self.text.replace(HERE + "/scrub.lua", broken))

        run = subprocess.run([binary("sluice"), "-c", config, "--mode", "validate"], capture_output=True, text=True)

        self.assertNotEqual(run.returncode, 0)
        self.assertRegex(run.stdout + run.stderr, r"source_codes\[\"scrub\"\]: .*broken\.lua:\d+: ")


if __name__ == "__main__":
    unittest.main()
