"""Consumers and their plans as they stand, on free ports."""
import http.client
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../gateway"))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
import echo  # noqa: E402
from harness import Sluice, SluiceTestCase, exampleConfig, waitFor  # noqa: E402

ACME = "ex_acme_Vei7ahch4ohKoo2u"
GLOBEX = "ex_globex_aiGh5oosh9aeZ3wa"
INITECH = "ex_initech_Ohb4quaeShoh8thu"
OLD = "ex_initech_old_Ahz3chee"


class ConsumersTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        with open(os.path.join(HERE, "consumers.yaml")) as file:
            self.consumers = file.read()
        self.scratch.write("consumers/consumers.yaml", self.consumers)
        ports = {"8081": self.start(echo.Service()).port}
        text = exampleConfig(HERE, ports).replace("examples/consumers", self.scratch.join("consumers"))
        self.sluice = self.start(Sluice(self.scratch, text))
        self.port = self.sluice.port("api")

    def ask(self, key=None, path="/", client="127.0.0.1", **headers):
        """(answer, its body) for a client with this address."""
        if key:
            headers["x-api-key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(client, 0))
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def statuses(self, count, *arguments, **more):
        return [self.ask(*arguments, **more)[0].status for _ in range(count)]

    def test_consumers_are_known_by_their_keys_and_the_service_sees_no_key(self):
        for headers in ({"x_api_key": ACME}, {"authorization": "Bearer " + ACME}):
            answer, body = self.ask(x_consumer="root", **headers)
            told = json.loads(body)["headers"]
            self.assertEqual((answer.status, told["x-consumer"]), (200, "acme"))
            self.assertNotIn(ACME, str(told))
        self.assertEqual(json.loads(self.ask(x_consumer="root")[1])["headers"]["x-consumer"], "guest")
        self.assertEqual(self.statuses(1, "ex_acme_wrong") + self.statuses(1, OLD), [401, 401])

        def logged():
            return [json.loads(line) for line in self.sluice.log().splitlines() if '"consumer":"acme"' in line]

        self.assertEqual(waitFor(logged, "the access log")[0]["key"], "ex_acme_Vei")
        self.assertNotIn(ACME, self.sluice.log() + self.consumers)

    def test_a_plan_says_how_much_and_each_has_its_own(self):
        self.assertEqual(self.statuses(4, GLOBEX), [200, 200, 200, 429])
        refused, _ = self.ask(GLOBEX)
        self.assertTrue(1 <= int(refused.getheader("retry-after")) <= 60)
        self.assertEqual(self.statuses(3, INITECH), [200] * 3)
        self.assertEqual(self.statuses(20, ACME), [200] * 20)
        self.assertEqual(self.statuses(1, GLOBEX, client="127.0.0.2"), [429])

    def test_guests_are_counted_by_address(self):
        self.assertEqual(self.statuses(3), [200, 200, 429])
        self.assertEqual(self.statuses(3, client="127.0.0.2"), [200, 200, 429])
        self.assertEqual(self.statuses(1, GLOBEX), [200])

    def test_a_route_is_for_partners(self):
        paths = ("/partners", "/partners/prices", "/%70artners/prices", "/x/../partners")
        for path in paths:
            with self.subTest(path=path):
                self.assertEqual(self.statuses(1, ACME, path), [200])
                self.assertEqual(self.statuses(1, GLOBEX, path), [403])
                self.assertEqual(self.statuses(1, None, path), [403])

    def test_a_consumer_that_pays_has_the_other_plan_at_once(self):
        self.assertEqual(self.statuses(4, GLOBEX)[-1], 429)

        head, name, rest = self.consumers.partition("- name: globex")
        self.scratch.write("consumers/consumers.yaml", head + name + rest.replace("tier: free", "tier: gold", 1))

        waitFor(lambda: self.ask(GLOBEX)[0].status == 200, "the new plan")
        self.assertEqual(self.statuses(10, GLOBEX), [200] * 10)
        self.scratch.write("consumers/consumers.yaml", "consumers: [{name: globex, keys: [{sha256: 7}]}]")
        waitFor(lambda: "the consumers that were read before hold" in self.sluice.log(), "the refusal in the log")
        self.assertEqual(self.statuses(1, GLOBEX), [200])


if __name__ == "__main__":
    unittest.main()
