"""The sticky canary as it stands, on free ports."""
import hashlib
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(HERE, "../../test/support")))
from harness import HttpUpstream, Reply, Sluice, SluiceTestCase, exampleConfig, get  # noqa: E402


def isCanary(user, share):
    """As the README says it, by another program."""
    digest = hashlib.sha256(b"checkout-2026-11\0" + user.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def cookiesOf(response):
    """What a browser sends back."""
    return [("cookie", value.split(";")[0]) for name, value in response.headers if name.lower() == "set-cookie"]


class StickyCanaryTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        hosts = {"8081": "v1 a", "8082": "v1 b", "8083": "v2 a", "8084": "v2 b"}
        self.ports = {}
        for port, name in hosts.items():
            self.ports[port] = self.start(HttpUpstream(lambda request, name=name: Reply(200, name.encode()))).port
        self.port = self.proxy(10)

    def proxy(self, percent):
        text = exampleConfig(HERE, self.ports)
        start, by_user = text.split("rollout:")
        by_user = by_user.replace("weight: 90", f"weight: {100 - percent}").replace("weight: 10", f"weight: {percent}")
        return self.start(Sluice(self.scratch, start + "rollout:" + by_user)).port("shop")

    def version(self, port, *headers, path="/"):
        return get(port, path, list(headers)).body.decode()[:2]

    def test_a_header_chooses_the_version(self):
        self.assertEqual({self.version(self.port, ("x-version", "v2")) for _ in range(20)}, {"v2"})

    def test_weights_draw_requests(self):
        self.assertEqual({self.version(self.port, path="/api/x") for _ in range(200)}, {"v1", "v2"})

    def test_users_are_divided_as_anybody_can_tell_and_only_move_in(self):
        users = [f"user-{i}" for i in range(200)]
        raised = self.proxy(40)

        for user in users:
            with self.subTest(user=user):
                before = self.version(self.port, ("x-user-id", user))
                after = self.version(raised, ("x-user-id", user))
                self.assertEqual(before == "v2", isCanary(user, 0.10))
                self.assertEqual(after == "v2", isCanary(user, 0.40))
                self.assertFalse(before == "v2" and after == "v1")

    def test_a_browser_stays_with_its_version_and_host(self):
        for _ in range(20):
            first = get(self.port, "/")
            cookies = cookiesOf(first)
            self.assertEqual(sorted(value.split("=")[0] for _, value in cookies), ["shop-host", "shop-visitor"])

            answers = [get(self.port, "/", cookies) for _ in range(5)]

            self.assertEqual({answer.body for answer in answers}, {first.body})
            self.assertEqual([cookiesOf(answer) for answer in answers], [[]] * 5)

    def test_what_the_canary_adds_is_its_own(self):
        canary = next(user for user in map(str, range(1000)) if isCanary(user, 0.10))
        stable = next(user for user in map(str, range(1000)) if not isCanary(user, 0.10))

        self.assertEqual(get(self.port, "/", [("x-user-id", canary)]).header("x-served-by"), "canary")
        self.assertIsNone(get(self.port, "/", [("x-user-id", stable)]).header("x-served-by"))


if __name__ == "__main__":
    unittest.main()
