"""The HTTP filters in a running proxy: buffer, local rate limit, external authorization, sessions, access
log."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, config  # noqa: E402
from harness.upstream import freePort  # noqa: E402


class FilterCase(SluiceTestCase):
    def proxy(self, *filters, clusters=(), routes=None, concurrency=1, **hcm):
        self.upstream = self.start(HttpUpstream())
        listener = httpListener("http", routes or [route("up")], filters=filters, **hcm)
        text = bootstrap([listener], [cluster("up", self.upstream.port), *clusters])
        self.sluice = self.start(Sluice(self.scratch, text, concurrency=concurrency))
        return self.sluice.port("http")


class BufferTest(FilterCase):
    FILTER = httpFilter("envoy.filters.http.buffer", "envoy.extensions.filters.http.buffer.v3.Buffer", max_request_bytes=1000)

    def test_a_body_within_the_limit_arrives_with_a_content_length(self):
        port = self.proxy(self.FILTER)

        response = request(port, "POST", "/", body=[b"a" * 400, b"b" * 600])

        seen = self.upstream.next()
        self.assertEqual((response.status, len(seen.body), seen.header("content-length")), (200, 1000, "1000"))

    def test_a_body_above_the_limit_is_answered_413_and_never_reaches_the_upstream(self):
        port = self.proxy(self.FILTER)

        self.assertEqual(request(port, "POST", "/", body=b"x" * 1001).status, 413)
        self.assertEqual(request(port, "POST", "/", body=[b"x" * 600, b"y" * 600]).status, 413)

        self.assertTrue(self.upstream.requests.empty())

    def test_a_route_can_switch_it_off(self):
        off = {"@type": config.TYPE + "envoy.extensions.filters.http.buffer.v3.BufferPerRoute", "disabled": True}
        routes = [{**route("up", prefix="/big"), "typed_per_filter_config": {"envoy.filters.http.buffer": off}}, route("up")]
        port = self.proxy(self.FILTER, routes=routes)

        self.assertEqual(request(port, "POST", "/big", body=b"x" * 5000).status, 200)
        self.assertEqual(request(port, "POST", "/", body=b"x" * 5000).status, 413)


class RateLimitTest(FilterCase):
    def test_the_bucket_holds_for_all_workers_together(self):
        for workers in (1, 4):
            with self.subTest(workers=workers):
                always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
                port = self.proxy(
                    httpFilter(
                        "envoy.filters.http.local_ratelimit",
                        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                        stat_prefix="limit",
                        token_bucket={"max_tokens": 5, "tokens_per_fill": 1, "fill_interval": "3600s"},
                        filter_enabled=always,
                        filter_enforced=always,
                    ),
                    concurrency=workers,
                )

                statuses = [get(port).status for _ in range(20)]

                self.assertEqual((statuses.count(200), statuses.count(429)), (5, 15))
                self.assertEqual(self.sluice.stat("limit.http_local_rate_limit.rate_limited"), 15)


class UpstreamFiltersTest(SluiceTestCase):
    """Filters of attempts, between the router and the host."""

    END = httpFilter("end", "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec")
    OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

    def proxy(self, routes, of_cluster=(), of_router=(), answer=None):
        self.upstream = self.start(HttpUpstream(answer) if answer else HttpUpstream())
        options = {"@type": config.TYPE + self.OPTIONS, "explicit_http_config": {"http_protocol_options": {}}}
        if of_cluster:
            options["http_filters"] = [*of_cluster, self.END]
        router = config.routerFilter()
        if of_router:
            router["typed_config"]["upstream_http_filters"] = [*of_router, self.END]
        listener = httpListener("http", routes, http_filters=[router])
        up = cluster("up", self.upstream.port, typed_extension_protocol_options={self.OPTIONS: options})
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [up])))
        return self.sluice.port("http")

    def limit(self, tokens):
        always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        return httpFilter(
            "limit",
            "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            stat_prefix="limit",
            token_bucket={"max_tokens": tokens, "tokens_per_fill": 1, "fill_interval": "3600s"},
            filter_enabled=always,
            filter_enforced=always,
        )

    def test_each_attempt_passes_them_and_their_answer_is_the_attempts(self):
        again = {"retry_on": "5xx", "num_retries": 5, "retry_back_off": {"base_interval": "0.001s"}}
        routes = [route("up", retry_policy=again)]
        port = self.proxy(routes, of_cluster=[self.limit(3)], answer=lambda request: Reply(status=503))

        answer = get(port)

        self.assertEqual((answer.status, answer.body), (429, b"local_rate_limited"))
        self.assertEqual(self.upstream.requests.qsize(), 3)
        self.assertEqual(self.sluice.stat("limit.http_local_rate_limit.rate_limited"), 1)
        stats = self.sluice.stats("cluster.up.")
        self.assertEqual(stats["cluster.up.upstream_rq_retry"], 3)
        self.assertEqual(stats["cluster.up.upstream_rq_429"], 1)

    def test_bodies_go_through_those_of_the_cluster_and_a_route_can_switch_them_off(self):
        off = {"@type": config.TYPE + "envoy.extensions.filters.http.buffer.v3.BufferPerRoute", "disabled": True}
        name = BufferTest.FILTER["name"]
        routes = [{**route("up", prefix="/big"), "typed_per_filter_config": {name: off}}, route("up")]
        port = self.proxy(routes, of_cluster=[BufferTest.FILTER])

        response = request(port, "POST", "/", body=[b"a" * 400, b"b" * 600])

        seen = self.upstream.next()
        self.assertEqual((response.status, len(seen.body), seen.header("content-length")), (200, 1000, "1000"))
        self.assertEqual(request(port, "POST", "/", body=[b"x" * 600, b"y" * 600]).status, 413)
        self.assertTrue(self.upstream.requests.empty())
        self.assertEqual(request(port, "POST", "/big", body=b"x" * 200_000).status, 200)
        self.assertEqual(len(self.upstream.next().body), 200_000)

    def test_a_retry_begins_from_the_head_as_the_router_made_it(self):
        kind = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
        added = {"append": {"header": {"key": "x-try", "value": "%UPSTREAM_HOST%"}}}
        change = httpFilter("change", kind, mutations={"request_mutations": [added]})
        again = {"retry_on": "5xx", "num_retries": 1, "retry_back_off": {"base_interval": "0.001s"}}
        port = self.proxy([route("up", retry_policy=again)], of_cluster=[change], answer=lambda request: Reply(status=503))

        self.assertEqual(get(port).status, 503)

        host = f"127.0.0.1:{self.upstream.port}"
        self.assertEqual([self.upstream.next().header("x-try") for _ in range(2)], [host, host])

    def test_those_of_the_router_are_for_clusters_that_have_none(self):
        for of_cluster, status in ([], 429), ([self.limit(100)], 200):
            with self.subTest(of_cluster=bool(of_cluster)):
                port = self.proxy([route("up")], of_cluster=of_cluster, of_router=[self.limit(0)])

                self.assertEqual(get(port).status, status)


class ExtAuthzTest(FilterCase):
    def guarded(self, answer, **fields):
        self.authz = self.start(HttpUpstream(answer))
        service = {
            "server_uri": {"uri": f"http://127.0.0.1:{self.authz.port}", "cluster": "authz", "timeout": "2s"},
            "path_prefix": "/check",
            "authorization_response": {
                "allowed_upstream_headers": {"patterns": [{"exact": "x-user"}]},
                "allowed_client_headers": {"patterns": [{"exact": "www-authenticate"}]},
            },
        }
        guard = httpFilter(
            "envoy.filters.http.ext_authz",
            "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            http_service=service,
            transport_api_version="V3",
            **fields,
        )
        return self.proxy(guard, clusters=[cluster("authz", self.authz.port)])

    def test_an_allowed_request_goes_on_with_the_headers_that_the_service_gives(self):
        port = self.guarded(lambda request: Reply(200, b"", [("x-user", "ada"), ("x-other", "1")]))

        response = request(port, "POST", "/doc", [("authorization", "secret")], b"body")

        asked, seen = self.authz.next(), self.upstream.next()
        self.assertEqual(response.status, 200)
        self.assertEqual((asked.path, asked.header("authorization")), ("/check/doc", "secret"))
        self.assertEqual((seen.header("x-user"), seen.header("x-other"), seen.body), ("ada", None, b"body"))

    def test_a_refused_request_gets_the_answer_of_the_service(self):
        port = self.guarded(lambda request: Reply(401, b"who are you?", [("www-authenticate", "Basic"), ("x-inner", "1")]))

        response = get(port)

        self.assertEqual((response.status, response.body), (401, b"who are you?"))
        self.assertEqual((response.header("www-authenticate"), response.header("x-inner")), ("Basic", None))
        self.assertTrue(self.upstream.requests.empty())

    def test_a_service_that_is_away_refuses_unless_told_otherwise(self):
        port = self.guarded(lambda request: Reply())
        self.authz.stop()

        self.assertEqual(get(port).status, 403)
        self.assertTrue(self.upstream.requests.empty())

    def test_a_service_that_is_away_is_passed_over_with_failure_mode_allow(self):
        port = self.guarded(lambda request: Reply(), failure_mode_allow=True)
        self.authz.stop()

        self.assertEqual(get(port).status, 200)

    def test_a_service_that_is_only_tried_refuses_nobody(self):
        port = self.guarded(lambda request: Reply(401), shadow_mode=True)

        self.assertEqual(get(port).status, 200)
        self.assertEqual(self.authz.next().path, "/check/")

    def test_what_is_not_asked_about_goes_on_or_is_refused(self):
        none = {"default_value": {"numerator": 0}}
        for deny, status in (False, 200), (True, 403):
            with self.subTest(deny=deny):
                port = self.guarded(
                    lambda request: Reply(401), filter_enabled=none, deny_at_disable={"default_value": deny}
                )

                self.assertEqual(get(port).status, status)
                self.assertTrue(self.authz.requests.empty())

    def test_a_client_that_leaves_while_the_service_thinks_harms_nobody(self):
        port = self.guarded(lambda request: Reply())
        for _ in range(20):
            with rawConnection(port) as sock:
                sock.sendall(client.requestBytes("GET", "/"))

        self.assertEqual(get(port).status, 200)
        self.sluice.mustRun()


class StatefulSessionTest(SluiceTestCase):
    STATE = "envoy.extensions.http.stateful_session.envelope.v3.EnvelopeSessionState"

    def host(self, name):
        """Begins sessions by itself, and says what it was sent of one."""

        def answer(asked):
            session = asked.header("x-session")
            return Reply(200, f"{name} {session}".encode(), [] if session else [("x-session", f"of {name}")])

        return self.start(HttpUpstream(answer))

    def serve(self, **fields):
        self.hosts = [self.host(name) for name in ("one", "two")]
        session = httpFilter(
            "envoy.filters.http.stateful_session",
            "envoy.extensions.filters.http.stateful_session.v3.StatefulSession",
            session_state={
                "name": "envelope",
                "typed_config": {"@type": config.TYPE + self.STATE, "header": {"name": "X-Session"}},
            },
            **fields,
        )
        listener = httpListener("http", [route("up")], filters=[session])
        clusters = [cluster("up", *[host.port for host in self.hosts])]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters), concurrency=2))
        self.port = self.sluice.port("http")

    def test_a_session_that_a_host_begins_stays_with_it(self):
        self.serve()
        for _ in range(4):
            first = get(self.port)
            name = first.body.decode().split()[0]

            answers = [get(self.port, headers=[("x-session", first.header("x-session"))]) for _ in range(6)]

            self.assertEqual({answer.body.decode() for answer in answers}, {f"{name} of {name}"})
            self.assertEqual({answer.header("x-session") for answer in answers}, {None})

    def test_a_strict_session_of_a_host_that_is_none_of_the_clusters_is_refused(self):
        self.serve(strict=True, status_on_strict_destination_not_found=410)

        self.assertEqual(get(self.port, headers=[("x-session", "MTAuMC4wLjE6ODA=;UV:YWJj")]).status, 410)
        self.assertEqual(get(self.port, headers=[("x-session", "abc")]).status, 200)


class AccessLogTest(FilterCase):
    def test_each_request_is_one_line_with_the_values_of_its_operators(self):
        path = self.scratch.join("access.txt")
        values = {"path": "%REQ(:PATH)%", "code": "%RESPONSE_CODE%", "sent": "%BYTES_SENT%", "flags": "%RESPONSE_FLAGS%"}
        log = fileLog(path, {"json_format": values})
        dead = cluster("dead", freePort())
        port = self.proxy(clusters=[dead], routes=[route("dead", prefix="/dead"), route("up")], access_log=[log])
        get(port, "/one")
        get(port, "/dead")

        def lines():
            with open(path) as file:
                return [json.loads(line) for line in file] if os.path.exists(path) else []

        waitFor(lambda: len(lines()) == 2, "two lines")
        first, second = sorted(lines(), key=lambda line: line["path"], reverse=True)
        self.assertEqual((first["path"], str(first["code"]), str(first["sent"])), ("/one", "200", "2"))
        self.assertEqual((second["path"], str(second["code"]), second["flags"]), ("/dead", "503", "UF"))

    def test_everything_logged_is_on_disk_after_sigterm(self):
        path = self.scratch.join("access.txt")
        port = self.proxy(access_log=[fileLog(path)])
        for _ in range(50):
            get(port)

        self.sluice.terminate()
        self.sluice.waitForExit()

        with open(path) as file:
            self.assertEqual(len(file.readlines()), 50)


if __name__ == "__main__":
    unittest.main()
