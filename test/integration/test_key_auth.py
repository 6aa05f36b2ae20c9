"""Filters that know clients by what they show, in a running proxy: API keys."""
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402

VERSIONS = ("--http1.1", "--http2-prior-knowledge")


class AuthCase(SluiceTestCase):
    def serve(self, entry, routes=None):
        """A proxy with the filter; the answer's x-consumer is what the identity says."""
        self.upstream = self.start(HttpUpstream())
        self.access_log = self.scratch.join("access.log")
        seen = [{"header": {"key": "x-consumer", "value": "%DYNAMIC_METADATA(sluice.identity:consumer)%"}}]
        listener = httpListener(
            "http",
            [{**each, "response_headers_to_add": seen} for each in routes or [route("up")]],
            filters=[entry],
            access_log=[fileLog(self.access_log, "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n")],
        )
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))
        self.port = self.sluice.port("http")

    def ask(self, *arguments, path="/", version="--http1.1"):
        """What curl is answered: the status and the header x-consumer."""
        target = f"http://127.0.0.1:{self.port}{path}"
        code, out = curl("-i", version, *arguments, target)
        self.assertEqual(code, 0)
        head = out.decode() if isinstance(out, bytes) else out
        consumer = [line.partition(": ")[2].strip() for line in head.splitlines() if line.lower().startswith("x-consumer:")]
        return int(head.split()[1]), consumer[0] if consumer else None

    def check(self, expected, *arguments, path="/"):
        for version in VERSIONS:
            with self.subTest(arguments=arguments, path=path, version=version):
                self.assertEqual(self.ask(*arguments, path=path, version=version), expected)


class ApiKeyTest(AuthCase):
    NAME = "envoy.filters.http.api_key_auth"
    PACKAGE = "envoy.extensions.filters.http.api_key_auth.v3."
    KEYS = [{"key": "sesame", "client": "ali"}, {"key": "alohomora", "client": "hermione"}]
    SOURCES = [{"header": "authorization"}, {"query": "key"}, {"cookie": "key"}]

    def setUp(self):
        super().setUp()
        only = {"@type": TYPE + self.PACKAGE + "ApiKeyAuthPerRoute", "allowed_clients": ["hermione"]}
        off = {"@type": TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}
        self.serve(
            httpFilter(
                self.NAME,
                self.PACKAGE + "ApiKeyAuth",
                credentials=self.KEYS,
                key_sources=self.SOURCES,
                forwarding={"header": "x-client", "hide_credentials": True},
            ),
            [
                {**route("up", "/only"), "typed_per_filter_config": {self.NAME: only}},
                {**route("up", "/open"), "typed_per_filter_config": {self.NAME: off}},
                route("up"),
            ],
        )

    def test_clients_are_known_by_their_keys(self):
        self.check((200, "ali"), "-H", "Authorization: Bearer sesame")
        self.check((200, "hermione"), "-H", "Authorization: alohomora")
        self.check((200, "hermione"), "-b", "a=b; key=alohomora")
        self.check((200, "ali"), path="/?key=ses%61me")
        self.check((200, "hermione"), "-H", "Authorization: alohomora", path="/only")

    def test_hosts_see_the_client_and_no_key(self):
        forged = ["-H", "x-client: root", "-H", "X-Client: admin"]
        for version in VERSIONS:
            self.ask(*forged, "-H", "Authorization: Bearer sesame", "-b", "a=b; key=x", path="/p?key=x&a=b", version=version)
            seen = self.upstream.next()
            self.assertEqual(seen.header("x-client"), "ali")
            self.assertEqual((seen.path, seen.header("cookie"), seen.header("authorization")), ("/p?a=b", "a=b", None))

    def test_others_are_refused_and_reach_nobody(self):
        self.check((401, None))
        self.check((401, None), "-H", "Authorization: Bearer open")
        self.check((401, None), path="/?key=sesame&key=alohomora")
        self.check((403, None), "-H", "Authorization: sesame", path="/only")
        self.assertTrue(self.upstream.requests.empty())
        self.check((200, None), path="/open")

        stats = self.sluice.stats("http.http.api_key_auth.")
        self.assertEqual(stats["http.http.api_key_auth.unauthorized"], 6)
        self.assertEqual(stats["http.http.api_key_auth.forbidden"], 2)
        self.assertEqual(stats["http.http.api_key_auth.allowed"], 0)
        waitFor(lambda: "403 client_not_allowed" in open(self.access_log).read(), "the refusal in the log")

    def test_no_key_is_told(self):
        self.ask("-H", "Authorization: sesame")

        told = str(self.sluice.admin("/config_dump").body) + str(self.sluice.admin("/stats").body) + self.sluice.log()

        for entry in self.KEYS:
            self.assertNotIn(entry["key"], told)


if __name__ == "__main__":
    unittest.main()
