"""Redirects that are followed by the proxy: where they lead, what the next host gets, and what goes to the client."""
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402

PREDICATE = TYPE + "envoy.extensions.internal_redirect."


def predicate(name, message, **fields):
    return {"name": "envoy.internal_redirect_predicates." + name,
            "typed_config": {"@type": f"{PREDICATE}{name}.v3.{message}", **fields}}  # fmt: skip


class RedirectTest(SluiceTestCase):
    """Hosts of front.example answer with redirects, those of files.example with what was asked for."""

    def serve(self, policy, location="http://files.example/f", status=302, **hcm):
        self.got = []

        def files(request):
            self.got.append(request)
            return Reply(body=b"files " + request.method.encode() + b" " + request.body)

        def front(request):
            target = location if request.path != "/again" else "http://front.example/again"
            return Reply(status, b"moved", [("Location", target), ("X-Token", "t1")])

        self.files, self.front = self.start(HttpUpstream(files)), self.start(HttpUpstream(front))
        hosts = [
            {"name": "front", "domains": ["front.example"],
             "routes": [{"name": "front", **route("front", internal_redirect_policy=policy)}]},
            {"name": "files", "domains": ["files.example"], "routes": [{"name": "files", **route("files")}]},
        ]  # fmt: skip
        self.log = self.scratch.join("access.log")
        log = fileLog(self.log, "%REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESP(x-token)%\n")
        listener = httpListener("http", virtual_hosts=hosts, access_log=[log], **hcm)
        clusters = [cluster("front", self.front.port), cluster("files", self.files.port)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))
        self.target = ("127.0.0.1", self.sluice.port("http"))

    def lines(self, count):
        def written():
            with open(self.log) as file:
                lines = file.read().splitlines()
            return lines if len(lines) >= count else None

        return waitFor(written, f"{count} lines of the access log")

    def test_the_client_gets_what_is_at_the_location(self):
        self.serve({"response_headers_to_copy": ["x-token"]})

        answer = get(self.target, "/old?a", [("authorization", "secret"), ("x-token", "mine")], host="front.example")

        self.assertEqual((answer.status, answer.body), (200, b"files GET "))
        (seen,) = self.got
        self.assertEqual((seen.path, seen.header("host")), ("/f", "files.example"))
        self.assertEqual(seen.header("authorization"), "secret")
        self.assertEqual(seen.header("x-token"), "t1")
        self.assertEqual(self.lines(2), ["front.example 302 internal_redirect t1", "files.example 200 via_upstream -"])
        stats = self.sluice.stats()
        self.assertEqual(stats["cluster.front.upstream_internal_redirect_succeeded_total"], 1)
        self.assertEqual(stats["http.http.downstream_rq_2xx"], 1)
        self.assertEqual(stats["http.http.downstream_rq_3xx"], 0)
        self.assertEqual(stats["http.http.downstream_rq_total"], 1)
        self.assertEqual(stats["http.http.downstream_rq_active"], 0)

    def test_a_body_goes_along_but_for_303(self):
        body = b"x" * 100_000
        for status, expected in ((307, b"files POST " + body), (303, b"files GET ")):
            with self.subTest(status=status):
                self.serve({"redirect_response_codes": [303, 307]}, status=status)
                for _ in range(20):
                    answer = request(self.target, "POST", "/", body=body, host="front.example")
                    self.assertEqual((answer.status, answer.body), (200, expected))

    def test_streams_of_http2_are_redirected(self):
        self.serve({})
        url = "http://127.0.0.1:%d/old" % self.target[1]

        for _ in range(3):
            got = curl("--http2-prior-knowledge", "-H", "host: front.example", "--data", "abc", url)

            self.assertEqual(got, (0, b"files POST abc"))

    def test_where_no_route_leads_nobody_is_sent(self):
        stolen = []
        secret = self.start(HttpUpstream(lambda request: stolen.append(request) or Reply()))
        self.serve({"max_internal_redirects": 5}, location=f"http://127.0.0.1:{secret.port}/latest/meta-data")

        answer = get(self.target, host="front.example")

        self.assertEqual((answer.status, answer.body, stolen), (302, b"moved", []))
        self.assertEqual(answer.header("location"), f"http://127.0.0.1:{secret.port}/latest/meta-data")
        stats = self.sluice.stats("http.http.passthrough_internal_redirect_")
        self.assertEqual(stats["http.http.passthrough_internal_redirect_no_route"], 1)
        self.assertEqual(self.sluice.stat("cluster.front.upstream_internal_redirect_failed_total"), 1)
        self.assertEqual(self.lines(1), ["front.example 302 via_upstream t1"])

    def test_a_circle_ends(self):
        self.serve({"max_internal_redirects": 3})

        self.assertEqual(get(self.target, "/again", host="front.example").status, 302)

        self.assertEqual(self.sluice.stat("http.http.passthrough_internal_redirect_too_many_redirects"), 1)
        self.assertEqual(self.sluice.stat("cluster.front.upstream_internal_redirect_succeeded_total"), 3)

    def test_predicates_say_where_redirects_lead(self):
        allowed = predicate("allow_listed_routes", "AllowListedRoutesConfig", allowed_route_names=["front", "files"])
        others = predicate("allow_listed_routes", "AllowListedRoutesConfig", allowed_route_names=["front"])
        once = predicate("previous_routes", "PreviousRoutesConfig")
        safe = predicate("safe_cross_scheme", "SafeCrossSchemeConfig")
        for path, location, policy, status in (
            ("/", "http://files.example/", {"predicates": [allowed, once, safe]}, 200),
            ("/", "http://files.example/", {"predicates": [others]}, 302),
            ("/again", "", {"max_internal_redirects": 9, "predicates": [once]}, 302),
            ("/", "https://files.example/", {"allow_cross_scheme_redirect": True}, 200),
            ("/", "https://files.example/", {"allow_cross_scheme_redirect": True, "predicates": [safe]}, 302),
        ):
            with self.subTest(policy=policy):
                self.serve(policy, location=location)
                self.assertEqual(get(self.target, path, host="front.example").status, status)
                refused = self.sluice.stat("http.http.passthrough_internal_redirect_predicate")
                self.assertEqual(refused, 0 if status == 200 else 1)


if __name__ == "__main__":
    unittest.main()
