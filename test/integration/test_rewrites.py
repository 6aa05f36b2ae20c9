"""What routes make of requests: other hosts and paths, and answers that need no host."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403


class RewriteCase(SluiceTestCase):
    def proxy(self, routes, hcm=None, **virtual_host):
        """One listener "http" in front of one upstream; returns its port."""
        self.upstream = self.start(HttpUpstream())
        hosts = [{"name": "all", "domains": ["*"], "routes": routes, **virtual_host}]
        listeners = [httpListener("http", virtual_hosts=hosts, **(hcm or {}))]
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", self.upstream.port)])))
        return self.sluice.port("http")


class RewriteTest(RewriteCase):
    def test_the_host_is_made_of_what_the_request_says(self):
        regex = {"pattern": {"regex": "^/path/([a-z]+).*$"}, "substitution": r"\1.svc.example"}
        port = self.proxy(
            [
                route("up", prefix="/header", host_rewrite_header="x-host"),
                route("up", prefix="/path", host_rewrite_path_regex=regex, append_x_forwarded_host=True),
                route("up", prefix="/format", host_rewrite="%REQ(x-tenant)%.example"),
            ]
        )

        get(port, "/header", [("x-host", "b.example:81")], host="a.example")
        by_header = self.upstream.next()
        get(port, "/path/users/1?q", [("x-forwarded-host", "first.example")], host="a.example")
        by_path = self.upstream.next()
        get(port, "/format", [("x-tenant", "acme")], host="a.example")
        by_format = self.upstream.next()
        refused = get(port, "/header", [("x-host", "b.example/../x")], host="a.example")
        get(port, "/header", host="a.example")
        as_it_was = self.upstream.next()

        self.assertEqual(by_header.header("host"), "b.example:81")
        self.assertEqual(by_header.header("x-envoy-original-host"), "a.example")
        self.assertIsNone(by_header.header("x-forwarded-host"))
        self.assertEqual((by_path.header("host"), by_path.path), ("users.svc.example", "/path/users/1?q"))
        self.assertEqual(by_path.header("x-forwarded-host"), "first.example,a.example")
        self.assertEqual(by_format.header("host"), "acme.example")
        self.assertEqual(refused.status, 400)
        self.assertEqual(as_it_was.header("host"), "a.example")
        self.assertIsNone(as_it_was.header("x-envoy-original-host"))

    def test_the_path_is_made_of_a_format(self):
        port = self.proxy([route("up", path_rewrite="/t/%REQ(x-tenant)%/all")])

        get(port, "/a/b?q=1", [("x-tenant", "acme corp?x=1")])

        seen = self.upstream.next()
        self.assertEqual(seen.path, "/t/acme%20corp%3Fx=1/all?q=1")
        self.assertEqual(seen.header("x-envoy-original-path"), "/a/b?q=1")
        self.assertEqual(get(port, "/a", [("x-tenant", "..")]).status, 400)

    def test_a_redirect_leads_to_a_formatted_path(self):
        port = self.proxy([{"match": {"prefix": "/"}, "redirect": {"path_rewrite": "/v/%REQ(x-version)%"}}])

        answer = get(port, "/a?q=1", [("x-version", "v2")], host="a.example")

        self.assertEqual((answer.status, answer.header("location")), (301, "http://a.example/v/v2?q=1"))


class VirtualHostTest(RewriteCase):
    def test_who_has_to_come_by_tls_is_sent_there(self):
        port = self.proxy([route("up")], require_tls="ALL")

        answer = get(port, "/a?q=1", host="a.example:80")
        get(port, "/", [("x-forwarded-proto", "https")])

        self.assertEqual((answer.status, answer.header("location")), (301, "https://a.example/a?q=1"))
        self.assertEqual(self.upstream.next().path, "/")

    def test_strangers_cannot_send_headers_for_internal_callers(self):
        self.upstream = self.start(HttpUpstream())
        listener = httpListener(
            "http", [route("up")], route_config={"internal_only_headers": ["X-Mine"]}, use_remote_address=True
        )
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))

        get(self.sluice.port("http"), "/", [("x-mine", "1"), ("x-other", "2"), ("x-envoy-internal", "true")])

        seen = self.upstream.next()
        self.assertEqual((seen.header("x-mine"), seen.header("x-other")), (None, "2"))


class VirtualClusterTest(RewriteCase):
    def test_requests_are_counted_by_virtual_cluster_and_by_route(self):
        log = self.scratch.join("access.log")
        writes = [{"name": ":method", "string_match": {"exact": "POST"}}]
        port = self.proxy(
            [{**route("up"), "stat_prefix": "all"}],
            virtual_clusters=[{"name": "writes", "headers": writes}],
            hcm={"access_log": [fileLog(log, "%VIRTUAL_CLUSTER_NAME%\n")]},
        )

        request(port, "POST", "/", body=b"x")
        get(port, "/")
        get(port, "/")

        stats = self.sluice.stats()
        self.assertEqual(stats["vhost.all.vcluster.writes.upstream_rq_total"], 1)
        self.assertEqual(stats["vhost.all.vcluster.writes.upstream_rq_200"], 1)
        self.assertEqual(stats["vhost.all.vcluster.other.upstream_rq_2xx"], 2)
        self.assertEqual(stats["vhost.all.route.all.upstream_rq_completed"], 3)
        self.assertEqual(stats["vhost.all.route.all.upstream_rq_200"], 3)
        self.assertEqual(stats["cluster.up.external.upstream_rq_200"], 3)
        waitFor(lambda: os.path.exists(log) and open(log).read().split() == ["writes", "other", "other"], "the log")


class DirectResponseTest(RewriteCase):
    def test_bodies_are_made_by_their_format(self):
        text = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%, %REQ(x-name)%: %RESPONSE_CODE%"},
                "content_type": "text/html"}  # fmt: skip
        fields = {"json_format": {"name": "%REQ(x-name)%", "code": "%RESPONSE_CODE%"}}
        port = self.proxy(
            [
                {"match": {"prefix": "/text"},
                 "direct_response": {"status": 203, "body": {"inline_string": "hello"}, "body_format": text}},
                {"match": {"prefix": "/"}, "direct_response": {"status": 418, "body_format": fields}},
            ]
        )  # fmt: skip

        page = get(port, "/text", [("x-name", "ada")])
        record = get(port, "/json", [("x-name", 'a"b')])

        self.assertEqual((page.status, page.body), (203, b"hello, ada: 203"))
        self.assertEqual(page.header("content-type"), "text/html")
        self.assertEqual((record.status, json.loads(record.body)), (418, {"name": 'a"b', "code": 418}))
        self.assertEqual(record.header("content-type"), "application/json")


if __name__ == "__main__":
    unittest.main()
