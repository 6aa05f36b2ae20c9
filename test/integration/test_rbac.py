"""The HTTP filter rbac in a running proxy: rules of paths against every spelling of a path, certificates, shadow rules in the
access log, conditions, matchers, and routes that go without."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.pki import Authority  # noqa: E402

VERSIONS = ("--http1.1", "--http2-prior-knowledge")
NAME = "envoy.filters.http.rbac"
RBAC = TYPE + "envoy.extensions.filters.http.rbac.v3."
ANY = [{"any": True}]


def rbac(**fields):
    return {"name": NAME, "typed_config": {"@type": RBAC + "RBAC", **fields}}


def rules(action, permissions=None, principals=None, **more):
    """Rules of one policy, "p"."""
    return {"action": action, "policies": {"p": {"permissions": permissions or ANY, "principals": principals or ANY, **more}}}


def perRoute(**fields):
    return {"typed_per_filter_config": {NAME: {"@type": RBAC + "RBACPerRoute", **fields}}}


def lead(action):
    """What a matcher leads to."""
    config = {"@type": TYPE + "envoy.config.rbac.v3.Action", "name": "by " + action.lower(), "action": action}
    return {"action": {"name": "action", "typed_config": config}}


class RbacCase(SluiceTestCase):
    def serve(self, *filters, routes=None, **hcm):
        self.upstream = self.start(HttpUpstream())
        listener = httpListener("http", routes or [route("up")], filters=filters, **hcm)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))
        self.port = self.sluice.port("http")

    def status(self, path="/", *arguments, version="--http1.1"):
        code, out = curl(
            "--path-as-is", version, "-o", "/dev/null", "-w", "%{http_code}", *arguments, f"http://127.0.0.1:{self.port}{path}"
        )
        self.assertEqual(code, 0)
        return int(out)

    def check(self, expected, path="/", *arguments):
        for version in VERSIONS:
            with self.subTest(path=path, arguments=arguments, version=version):
                self.assertEqual(self.status(path, *arguments, version=version), expected)


class PathTest(RbacCase):
    SPELLINGS = [
        "/admin",
        "/admin/users",
        "/admin?x=/public",
        "/admin;x=1/users",
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin",
        "/./admin",
        "/%61dmin",
        "/public/..;x=1/admin",
        "/public/..%3bx/admin",
        "//admin",
        "/;x=1/admin",
    ]

    def test_no_spelling_of_a_path_gets_past_a_rule(self):
        self.serve(rbac(rules=rules("DENY", [{"url_path": {"path": {"prefix": "/admin"}}}])), merge_slashes=True)

        for path in self.SPELLINGS:
            self.check(403, path)

        self.assertTrue(self.upstream.requests.empty())
        self.check(200, "/public?x=/admin")

    def test_a_rule_sees_the_path_that_the_route_sees(self):
        table = {"ignore_path_parameters_in_path_matching": True}
        exact = rules("DENY", [{"url_path": {"path": {"exact": "/admin/users"}}}])
        self.serve(rbac(rules=exact), route_config=table)

        for path in ("/admin/users", "/admin;v=1/users", "/admin/users;v=1", "/admin/users;v=1?q"):
            self.check(403, path)
        self.check(200, "/admin")


class RulesTest(RbacCase):
    def test_a_denial_says_which_policy_and_is_counted(self):
        self.serve(
            rbac(rules=rules("DENY", [{"header": {"name": "x-role", "string_match": {"exact": "guest"}}}]),
                 track_per_rule_stats=True)
        )  # fmt: skip

        denied = request(self.port, "GET", "/", [("x-role", "user"), ("x-role", "guest")])
        self.assertEqual((denied.status, denied.body), (403, b"RBAC: access denied"))
        self.check(200, "/", "-H", "x-role: user")

        stats = self.sluice.stats("http.http.rbac.")
        self.assertEqual((stats["http.http.rbac.denied"], stats["http.http.rbac.allowed"]), (1, 2))
        self.assertEqual(stats["http.http.rbac.policy.p.denied"], 1)

    def test_denials_are_told_on_standard_output(self):
        logger = {"@type": TYPE + "envoy.extensions.rbac.audit_loggers.stream.v3.StdoutAuditLog"}
        audit = {"audit_condition": "ON_DENY", "logger_configs": [{"audit_logger": {"name": "a", "typed_config": logger}}]}
        denied = rules("DENY", [{"url_path": {"path": {"prefix": "/admin"}}}])
        self.serve(rbac(rules={**denied, "audit_logging_options": audit}))

        self.assertEqual((self.status("/open"), self.status("/admin?secret=1")), (200, 403))

        def told():
            return [json.loads(line)["rbac_audit_log"] for line in self.sluice.log().splitlines() if "rbac_audit_log" in line]

        (line,) = waitFor(told, "the denial to be told")
        self.assertRegex(line.pop("timestamp"), r"^\d{4}-\d\d-\d\dT")
        self.assertRegex(line.pop("source"), r"^127\.0\.0\.1:\d+$")
        self.assertEqual(line, {"method": "GET", "path": "/admin", "matched_rule": "p", "authorized": False})

    def test_a_condition_decides(self):
        method = {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "method"}}
        is_get = {"call_expr": {"function": "_==_", "args": [method, {"const_expr": {"string_value": "GET"}}]}}
        self.serve(rbac(rules=rules("ALLOW", condition=is_get)))

        self.check(200)
        self.check(403, "/", "-X", "DELETE")

    def test_a_route_goes_without_or_has_its_own(self):
        routes = [
            {**route("up", prefix="/open"), **perRoute()},
            {**route("up", prefix="/own"), **perRoute(rbac={"rules": rules("ALLOW", [{"header": {"name": "x-key"}}])})},
            route("up"),
        ]
        self.serve(rbac(rules={"action": "ALLOW"}), routes=routes)

        self.check(200, "/open")
        self.check(403, "/own")
        self.check(200, "/own", "-H", "x-key: 1")
        self.check(403, "/")

    def test_a_matcher_decides(self):
        by_key = {"@type": TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": "x-key"}
        tree = {
            "input": {"name": "key", "typed_config": by_key},
            "exact_match_map": {"map": {"good": lead("ALLOW"), "bad": lead("DENY")}},
        }
        self.serve(rbac(matcher={"matcher_tree": tree}))

        self.check(200, "/", "-H", "x-key: good")
        self.check(403, "/", "-H", "x-key: bad")
        self.check(403)

    def test_a_shadow_shows_in_the_access_log_and_lets_through(self):
        path = self.scratch.join("access.log")
        key = "%DYNAMIC_METADATA(envoy.filters.http.rbac:{})%"
        format = " ".join(
            ["%RESPONSE_CODE%", key.format("next_shadow_engine_result"), key.format("next_shadow_effective_policy_id"),
             "%RESPONSE_CODE_DETAILS%"]
        )  # fmt: skip
        shadow = rules("DENY", [{"url_path": {"path": {"prefix": "/a"}}}])
        self.serve(rbac(shadow_rules=shadow, shadow_rules_stat_prefix="next_"), access_log=[fileLog(path, format + "\n")])

        self.assertEqual((self.status("/a"), self.status("/b")), (200, 200))

        def logged():
            with open(path) as file:
                return len(lines := file.read().splitlines()) == 2 and lines

        lines = waitFor(logged, "two lines of the log")
        self.assertEqual(lines, ["200 denied p via_upstream", "200 allowed - via_upstream"])
        stats = self.sluice.stats("http.http.rbac.")
        self.assertEqual(stats["http.http.rbac.next_.shadow_denied"], 1)
        self.assertEqual(stats["http.http.rbac.next_.shadow_allowed"], 1)


class CertificateTest(SluiceTestCase):
    def serve(self, principals):
        self.ca = Authority(self.scratch.join("pki"))
        for name in ("good", "bad"):
            self.ca.issue(name, f"URI:spiffe://x/{name}")
        self.other = Authority(self.scratch.join("other"), "other")
        self.other.issue("fake", "URI:spiffe://x/good")
        common = {
            "tls_certificates": [self.ca.issue("a", "DNS:a.example")],
            "validation_context": {"trusted_ca": {"filename": self.ca.cert("ca")}},
            "alpn_protocols": ["h2", "http/1.1"],
        }
        kind = TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        listener = httpListener(
            "https", [directResponse(200, "hello")], filters=[rbac(rules=rules("ALLOW", principals=principals))]
        )
        listener["filter_chains"][0]["transport_socket"] = {
            "name": "tls",
            "typed_config": {"@type": kind, "common_tls_context": common},
        }
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [])))
        self.port = self.sluice.port("https")

    def status(self, *arguments):
        """"000": the handshake was refused."""
        _, out = curl(
            "--cacert", self.ca.cert("ca"), "--resolve", f"a.example:{self.port}:127.0.0.1", "-o", "/dev/null", "-w",
            "%{http_code}", *arguments, f"https://a.example:{self.port}/"
        )  # fmt: skip
        return out.decode()

    def check(self):
        for version in ("--http1.1", "--http2"):
            with self.subTest(version=version):
                good, bad = (
                    self.status(version, "--cert", self.ca.cert(name), "--key", self.ca.key(name)) for name in ("good", "bad")
                )
                fake = self.status(version, "--cert", self.other.cert("fake"), "--key", self.other.key("fake"))

                self.assertEqual((good, bad, self.status(version)), ("200", "403", "403"))
                self.assertNotEqual(fake, "200")

    def test_a_client_is_known_by_its_certificate(self):
        self.serve([{"authenticated": {"principal_name": {"exact": "spiffe://x/good"}}}])
        self.check()

    def test_a_name_of_one_type_is_a_principal(self):
        config = {
            "@type": TYPE + "envoy.extensions.rbac.principals.mtls_authenticated.v3.Config",
            "san_matcher": {"san_type": "URI", "matcher": {"exact": "spiffe://x/good"}},
        }
        self.serve([{"custom": {"name": "envoy.rbac.principals.mtls_authenticated", "typed_config": config}}])
        self.check()


if __name__ == "__main__":
    unittest.main()
