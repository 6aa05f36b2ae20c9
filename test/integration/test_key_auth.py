"""Filters that know clients by what they show, in a running proxy: API keys, passwords, keys of consumers in a file."""
import base64
import hashlib
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402

VERSIONS = ("--http1.1", "--http2-prior-knowledge")


class AuthCase(SluiceTestCase):
    extra = []  # filters behind it

    def serve(self, entry, routes=None):
        """A proxy with the filter; the answer's x-consumer is what the identity says."""
        self.upstream = self.start(HttpUpstream())
        self.access_log = self.scratch.join("access.log")
        seen = [{"header": {"key": "x-consumer", "value": "%DYNAMIC_METADATA(sluice.identity:consumer)%"}}]
        listener = httpListener(
            "http",
            [{**each, "response_headers_to_add": seen} for each in routes or [route("up")]],
            filters=[entry, *self.extra],
            access_log=[fileLog(self.access_log, "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n")],
        )
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))
        self.port = self.sluice.port("http")

    def ask(self, *arguments, path="/", version="--http1.1"):
        """What curl is answered: the status and the header x-consumer."""
        target = f"http://127.0.0.1:{self.port}{path}"
        code, out = curl("-i", version, *arguments, target)
        # 92: the answer came before the body had gone, whose rest was not waited for (RFC 9113 section 8.1); it is whole.
        self.assertIn(code, (0,) if version == "--http1.1" else (0, 92))
        head = out.decode() if isinstance(out, bytes) else out
        consumer = [line.partition(": ")[2].strip() for line in head.splitlines() if line.lower().startswith("x-consumer:")]
        return int(head.split()[1]), consumer[0] if consumer and consumer[0] != "-" else None

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

        def logged():
            with open(self.access_log) as file:
                return "403 client_not_allowed" in file.read()

        waitFor(logged, "the refusal in the log")

    def test_no_key_is_told(self):
        self.ask("-H", "Authorization: sesame")

        told = str(self.sluice.admin("/config_dump").body) + str(self.sluice.admin("/stats").body) + self.sluice.log()

        for entry in self.KEYS:
            self.assertNotIn(entry["key"], told)


class BasicAuthTest(AuthCase):
    NAME = "envoy.filters.http.basic_auth"
    PACKAGE = "envoy.extensions.filters.http.basic_auth.v3."
    SHA = "{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw="  # sesame
    BCRYPT = "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW"  # sesame
    ARGON2 = "$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$o83BTm/03R3cgwjnIrQwOQ9VyBcMwK+dHitsV0XK9p4"  # sesame

    def serveUsers(self, text, **fields):
        self.path = self.scratch.write("users/htpasswd", text)
        users = {"filename": self.path, "watched_directory": {"path": os.path.dirname(self.path)}}
        self.serve(httpFilter(self.NAME, self.PACKAGE + "BasicAuth", users=users, **fields))

    def test_users_are_known_by_their_passwords(self):
        self.serveUsers(f"ali:{self.SHA}\nhermione:{self.BCRYPT}\nron:{self.ARGON2}\n", forward_username_header="x-user")

        for name in ("ali", "hermione", "ron"):
            self.check((200, name), "-u", f"{name}:sesame", "-H", "x-user: root")
            self.check((200, name), "-u", f"{name}:sesame", "-H", "x-user: root")
            self.check((401, None), "-u", f"{name}:alohomora")
            for _ in range(4):
                self.assertEqual(self.upstream.next().header("x-user"), name)
        self.check((401, None), "-u", "nobody:sesame")
        self.check((401, None))
        self.assertTrue(self.upstream.requests.empty())
        stats = self.sluice.stats("http.http.basic_auth.")
        self.assertEqual((stats["http.http.basic_auth.allowed"], stats["http.http.basic_auth.denied"]), (12, 10))

    def test_a_refusal_asks_for_the_password(self):
        self.serveUsers(f"ali:{self.SHA}")

        answer = get(("127.0.0.1", self.port), "/p")

        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.header("www-authenticate"), 'Basic realm="http://test.example/p"')

    def test_nobody_is_let_in_as_somebody(self):
        self.serveUsers(f"ali:{self.SHA}", forward_username_header="x-user", allow_missing=True)

        self.check((200, None), "-H", "x-user: root")
        self.check((200, None), "-H", "x-user: root", "-H", "Authorization: Bearer x")
        for _ in range(4):
            self.assertIsNone(self.upstream.next().header("x-user"))
        self.check((401, None), "-u", "ali:alohomora")

    def test_a_file_of_users_is_read_again_when_it_changes_and_a_wrong_one_changes_nothing(self):
        self.serveUsers(f"ali:{self.BCRYPT}\n")
        self.check((200, "ali"), "-u", "ali:sesame")

        self.scratch.write("users/htpasswd", f"hermione:{self.BCRYPT}\n")
        waitFor(lambda: self.ask("-u", "hermione:sesame") == (200, "hermione"), "the new users")
        self.check((401, None), "-u", "ali:sesame")
        self.scratch.write("users/htpasswd", "ali:alohomora\n")
        waitFor(lambda: "the users that were read before hold" in self.sluice.log(), "the refusal in the log")
        self.check((200, "hermione"), "-u", "hermione:sesame")
        self.assertIn("line 1 has no hash", self.sluice.log())
        self.assertNotIn("alohomora", self.sluice.log())

    def test_many_slow_logins_hold_up_nobody_else(self):
        self.serveUsers(f"ali:{self.SHA}\nslow:$2b$15$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW\n")
        login = base64.b64encode(b"slow:x").decode()
        head = f"GET / HTTP/1.1\r\nhost: a\r\nauthorization: Basic {login}\r\n\r\n".encode()
        clients = []
        for _ in range(80):
            client = socket.create_connection(("127.0.0.1", self.port))
            self.addCleanup(client.close)
            client.sendall(head)
            clients.append(client)

        waitFor(lambda: self.sluice.stat("http.http.basic_auth.overflow") > 0, "a login that is refused")
        self.check((200, "ali"), "-u", "ali:sesame")
        self.check((401, None))
        for client in clients:
            client.close()


class KeyAuthTest(AuthCase):
    NAME = "sluice.filters.http.key_auth"
    PACKAGE = "sluice.extensions.filters.http.key_auth.v1."

    def consumer(self, name, *keys, **more):
        return {"name": name, "keys": [{"sha256": hashlib.sha256(key.encode()).hexdigest()} for key in keys], **more}

    def write(self, *consumers):
        return self.scratch.write("consumers/consumers.json", json.dumps({"consumers": consumers}))

    def serveConsumers(self, *consumers, routes=None, **fields):
        path = self.write(*consumers)
        source = {"filename": path, "watched_directory": {"path": os.path.dirname(path)}}
        sources = [{"header": "x-key"}]
        self.serve(
            httpFilter(self.NAME, self.PACKAGE + "KeyAuth", consumers=source, key_sources=sources, **fields), routes
        )

    def test_routes_are_for_groups_of_consumers(self):
        staff = {"@type": TYPE + self.PACKAGE + "KeyAuthPerRoute", "allowed_groups": ["staff"]}
        self.serveConsumers(
            self.consumer("ali", "sesame", groups=["staff"]),
            self.consumer("hermione", "alohomora", "lumos"),
            self.consumer("guest"),
            routes=[{**route("up", "/staff"), "typed_per_filter_config": {self.NAME: staff}}, route("up")],
            forwarding={"header": "x-client"},
            anonymous="guest",
        )

        self.check((200, "ali"), "-H", "x-key: sesame", path="/staff")
        self.check((200, "hermione"), "-H", "x-key: lumos")
        self.check((403, None), "-H", "x-key: lumos", path="/staff")
        self.check((401, None), "-H", "x-key: open")
        while not self.upstream.requests.empty():
            self.upstream.next()
        self.check((200, "guest"), "-H", "x-client: ali")
        self.assertEqual(self.upstream.next().header("x-client"), "guest")

    def test_consumers_are_read_again_when_their_file_changes_and_a_wrong_one_changes_nothing(self):
        self.serveConsumers(self.consumer("ali", "sesame"))
        self.check((200, "ali"), "-H", "x-key: sesame")

        self.write(self.consumer("hermione", "alohomora"))
        waitFor(lambda: self.ask("-H", "x-key: alohomora") == (200, "hermione"), "the new consumers")
        self.check((401, None), "-H", "x-key: sesame")
        self.write({"name": "ali", "keys": [{"sha256": "in the clear"}]})
        waitFor(lambda: "the consumers that were read before hold" in self.sluice.log(), "the refusal in the log")
        self.check((200, "hermione"), "-H", "x-key: alohomora")
        self.assertIn("consumers[0].keys[0].sha256", self.sluice.log())
        self.assertNotIn("in the clear", self.sluice.log())
        self.assertGreaterEqual(self.sluice.stat("http.http.key_auth.reload_failure"), 1)

    def test_rate_limits_go_by_the_plan(self):
        plan = {"metadata_key": {"key": "sluice.identity", "path": [{"key": "claims"}, {"key": "plan"}, {"key": "tier"}]}}
        action = {"metadata": {"descriptor_key": "tier", **plan}}
        limit = {
            "@type": TYPE + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "plan",
            "token_bucket": {"max_tokens": 1000, "tokens_per_fill": 1000, "fill_interval": "3600s"},
            "filter_enabled": {"default_value": {"numerator": 100}},
            "filter_enforced": {"default_value": {"numerator": 100}},
            "descriptors": [
                {
                    "entries": [{"key": "tier", "value": "free"}],
                    "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"},
                }
            ],
            "rate_limits": [{"actions": [action]}],
        }
        self.extra = [{"name": "envoy.filters.http.local_ratelimit", "typed_config": limit}]
        self.serveConsumers(self.consumer("ali", "sesame", plan={"tier": "gold"}), self.consumer("bob", "x", plan={"tier": "free"}))

        for _ in range(3):
            self.assertEqual(self.ask("-H", "x-key: sesame"), (200, "ali"))
        self.assertEqual(self.ask("-H", "x-key: x"), (200, "bob"))
        self.assertEqual(self.ask("-H", "x-key: x")[0], 429)


if __name__ == "__main__":
    unittest.main()
