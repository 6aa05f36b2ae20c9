"""The tests of the routes as they stand, against the shop as it stands and with mistakes in it."""
import json
import os
import sys
import unittest
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, request  # noqa: E402
from harness.sluice import runTool  # noqa: E402

TESTS = os.path.join(HERE, "routes_test.yaml")


class RoutesTest(SluiceTestCase):
    def shop(self, **mistakes):
        """The path of a shop with texts replaced."""
        with open(os.path.join(HERE, "sluice.yaml")) as file:
            text = file.read()
        for good, bad in mistakes.values():
            self.assertIn(good, text)
            text = text.replace(good, bad)
        return self.scratch.write("shop.yaml", text)

    def run_tests(self, *arguments):
        return runTool("sluicectl", "test", TESTS, *arguments)

    def test_the_shop_is_as_expected(self):
        code, output = self.run_tests()

        self.assertEqual((code, output.strip().splitlines()[-1]), (0, "6 tests, 0 failed"), output)

    def test_a_mistake_is_told_with_what_came_instead(self):
        shop = self.shop(prefix=("match: {path: /index.php}", "match: {path: /index.html}"))
        report = self.scratch.join("report.xml")

        code, output = self.run_tests("--file", shop, "--junit", report)

        self.assertEqual(code, 1, output)
        self.assertIn("old pages have moved", output)
        self.assertIn("status: 'site' instead of 301", output)
        self.assertIn("6 tests, 1 failed", output)
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("6", "1"))
        self.assertEqual([case.get("name") for case in suite if case.find("failure") is not None], ["old pages have moved"])

    def test_a_filter_that_a_route_has_no_more_is_told(self):
        shop = self.shop(off=("prefix: /}\n                route: {cluster: site}", "prefix: /}\n                route: {cluster: site}\n                typed_per_filter_config: {rbac: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}"))

        code, output = self.run_tests("--file", shop, "--json")

        failures = json.loads(output)["failures"]
        self.assertEqual((code, [failure["name"] for failure in failures]), (1, ["the site is what is left"]))
        self.assertIn("filter 'rbac': disabled instead of enabled", failures[0]["differences"][0])

    def test_the_proxy_does_what_was_told(self):
        upstreams = {port: self.start(HttpUpstream(lambda _, port=port: Reply(200, port.encode()))) for port in ("8081", "8082", "8083")}
        sluice = self.start(Sluice(self.scratch, exampleConfig(HERE, {port: up.port for port, up in upstreams.items()})))
        port = sluice.port("shop")
        ask = lambda path, **more: request(port, "GET", path, headers={"host": "shop.example", **more})  # noqa: E731

        self.assertEqual(ask("/shoes").body, b"8081")
        self.assertEqual(ask("/api/carts", **{"x-api-version": "2"}).body, b"8083")
        self.assertEqual((ask("/index.php").status, ask("/healthz").body), (301, b"well"))


if __name__ == "__main__":
    unittest.main()
