"""Filters that protect, in a running proxy: cors and csrf as browsers see them, limits of requests, bodies and programs, faults."""
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import mmdb  # noqa: E402
from harness.config import TYPE  # noqa: E402

FILTERS = TYPE + "envoy.extensions.filters.http."
ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def entry(name, message, **fields):
    """An entry of http_filters."""
    return {"name": "envoy.filters.http." + name, "typed_config": {"@type": FILTERS + message, **fields}}


def perRoute(name, message, **fields):
    return {"typed_per_filter_config": {"envoy.filters.http." + name: {"@type": FILTERS + message, **fields}}}


class ProtectionCase(SluiceTestCase):
    def serve(self, *filters, routes=None, reply=None, **hcm):
        self.upstream = self.start(HttpUpstream(reply) if reply else HttpUpstream())
        listener = httpListener("http", routes or [route("up")], filters=filters, **hcm)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))
        self.port = self.sluice.port("http")

    def ask(self, method="GET", path="/", headers=()):
        return request(self.port, method, path, list(headers))


class CorsTest(ProtectionCase):
    POLICY = {
        "allow_origin_string_match": [{"exact": "https://app.example"}],
        "allow_methods": "GET, PUT",
        "allow_headers": "x-a",
        "max_age": "60",
        "allow_credentials": True,
    }

    def preflight(self, origin, path="/"):
        asked = [("origin", origin), ("access-control-request-method", "PUT"), ("access-control-request-headers", "x-a")]
        return self.ask("OPTIONS", path, asked)

    def test_a_preflight_is_answered_and_the_request_may_be_read(self):
        self.serve(entry("cors", "cors.v3.Cors"), routes=[{**route("up"), **perRoute("cors", "cors.v3.CorsPolicy", **self.POLICY)}])

        answer = self.preflight("https://app.example")

        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.header("access-control-allow-origin"), "https://app.example")
        self.assertEqual(answer.header("access-control-allow-methods"), "GET, PUT")
        self.assertEqual(answer.header("access-control-allow-headers"), "x-a")
        self.assertEqual(answer.header("access-control-max-age"), "60")
        self.assertTrue(self.upstream.requests.empty())

        got = self.ask(headers=[("origin", "https://app.example")])
        self.assertEqual(got.status, 200)
        self.assertEqual(got.header("access-control-allow-origin"), "https://app.example")
        self.assertEqual(got.header("access-control-allow-credentials"), "true")
        self.assertEqual(got.header("vary"), "origin")

        other = self.ask(headers=[("origin", "https://evil.example")])
        self.assertEqual(other.status, 200)
        self.assertIsNone(other.header("access-control-allow-origin"))
        stats = self.sluice.stats("http.http.cors.")
        self.assertEqual((stats["http.http.cors.origin_valid"], stats["http.http.cors.origin_invalid"]), (2, 1))

    def test_the_older_form_counts_for_a_route(self):
        self.serve(
            entry("cors", "cors.v3.Cors"), routes=[route("up", prefix="/old", cors=self.POLICY), route("up")]
        )

        self.assertEqual(self.preflight("https://app.example", "/old").header("access-control-max-age"), "60")
        self.assertTrue(self.upstream.requests.empty())
        self.assertIsNone(self.preflight("https://app.example", "/").header("access-control-max-age"))


class CsrfTest(ProtectionCase):
    def test_a_page_of_another_host_changes_nothing(self):
        self.serve(entry("csrf", "csrf.v3.CsrfPolicy", filter_enabled=ALWAYS, additional_origins=[{"exact": "www.example"}]))

        self.assertEqual(self.ask("POST", headers=[("origin", "https://evil.example")]).status, 403)
        self.assertEqual(self.ask("DELETE").status, 403)
        self.assertTrue(self.upstream.requests.empty())

        self.assertEqual(self.ask("POST", headers=[("origin", "https://test.example")]).status, 200)
        self.assertEqual(self.ask("POST", headers=[("referer", "https://www.example/form")]).status, 200)
        self.assertEqual(self.ask("GET", headers=[("origin", "https://evil.example")]).status, 200)
        self.assertEqual(self.sluice.stats("http.http.csrf.")["http.http.csrf.request_invalid"], 1)


class LocalRateLimitTest(ProtectionCase):
    # One token now, and the next one in an hour.
    ONE = {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"}

    def limit(self, **fields):
        on = {"filter_enabled": ALWAYS, "filter_enforced": ALWAYS}
        return entry("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", stat_prefix="edge", **on, **fields)

    def test_each_user_has_a_bucket_and_is_told_what_is_left(self):
        user = {"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}
        self.serve(
            self.limit(
                token_bucket={"max_tokens": 100, "fill_interval": "1s"},
                descriptors=[{"entries": [{"key": "user"}], "token_bucket": self.ONE}],
                rate_limits=[{"actions": [user]}],
                enable_x_ratelimit_headers="DRAFT_VERSION_03",
                enable_retry_after_header=True,
            )
        )

        first = self.ask(headers=[("x-user", "anna")])
        self.assertEqual((first.status, first.header("x-ratelimit-remaining")), (200, "0"))
        refused = self.ask(headers=[("x-user", "anna")])
        self.assertEqual((refused.status, refused.header("x-ratelimit-limit")), (429, "1"))
        self.assertGreater(int(refused.header("retry-after")), 3000)
        self.assertEqual(self.ask(headers=[("x-user", "berta")]).status, 200)
        self.assertEqual(self.ask().status, 200)
        self.assertEqual(self.sluice.stats("edge.")["edge.http_local_rate_limit.enforced"], 1)

    def test_each_connection_has_a_bucket(self):
        self.serve(self.limit(token_bucket=self.ONE, local_rate_limit_per_downstream_connection=True))

        for _ in range(2):
            url = f"http://127.0.0.1:{self.port}/"
            code, out = curl("-s", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} ", url, url)
            self.assertEqual((code, out.split()), (0, [b"200", b"429"]))


class FaultTest(ProtectionCase):
    PERCENT = {"numerator": 100, "denominator": "HUNDRED"}

    def fault(self, **fields):
        return entry("fault", "fault.v3.HTTPFault", **fields)

    def test_a_request_fails_as_it_asks(self):
        self.serve(self.fault(abort={"header_abort": {}, "percentage": self.PERCENT}))

        self.assertEqual(self.ask().status, 200)
        failed = self.ask(headers=[("x-envoy-fault-abort-request", "503")])

        self.assertEqual((failed.status, failed.body), (503, b"fault filter abort"))
        self.assertEqual(self.sluice.stats("http.http.fault.")["http.http.fault.aborts_injected"], 1)

    def test_a_route_s_requests_wait_and_then_fail(self):
        delay = {"fixed_delay": "0.05s", "percentage": self.PERCENT}
        slow = perRoute("fault", "fault.v3.HTTPFault", delay=delay, abort={"http_status": 418, "percentage": self.PERCENT})
        self.serve(self.fault(), routes=[{**route("up", prefix="/slow"), **slow}, route("up")])

        self.assertEqual(self.ask(path="/slow").status, 418)
        self.assertEqual(self.ask().status, 200)
        stats = self.sluice.stats("http.http.fault.")
        self.assertEqual((stats["http.http.fault.delays_injected"], stats["http.http.fault.active_faults"]), (1, 0))

    def test_a_slow_answer_comes_whole(self):
        limit = {"fixed_limit": {"limit_kbps": 1000}, "percentage": self.PERCENT}
        body = bytes(range(256)) * 800
        self.serve(self.fault(response_rate_limit=limit), reply=lambda _: Reply(body=body))

        self.assertEqual(self.ask().body, body)


class BandwidthLimitTest(ProtectionCase):
    def test_bodies_come_whole_both_ways(self):
        self.serve(
            entry("bandwidth_limit", "bandwidth_limit.v3.BandwidthLimit", stat_prefix="edge", limit_kbps=2000,
                  enable_mode="REQUEST_AND_RESPONSE"),
            reply=lambda asked: Reply(body=asked.body),
        )  # fmt: skip
        body = bytes(range(256)) * 800

        self.assertEqual(request(self.port, "POST", "/", body=body).body, body)

        stats = self.sluice.stats("edge.http_bandwidth_limit.")
        for direction in ("request", "response"):
            self.assertEqual(stats[f"edge.http_bandwidth_limit.{direction}_allowed_total_size"], len(body))
            self.assertEqual(stats[f"edge.http_bandwidth_limit.{direction}_pending"], 0)


class IpTaggingTest(ProtectionCase):
    def test_routes_go_by_the_ranges_of_the_client(self):
        tags = [
            {"ip_tag_name": "local", "ip_list": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]},
            {"ip_tag_name": "other", "ip_list": [{"address_prefix": "192.0.2.0", "prefix_len": 24}]},
        ]
        tagged = {"name": "x-range", "string_match": {"exact": "local"}}
        self.serve(
            entry("ip_tagging", "ip_tagging.v3.IPTagging", ip_tags=tags, ip_tag_header={"header": "x-range"}),
            routes=[route("up", match={"prefix": "/", "headers": [tagged]})],
        )

        self.assertEqual(self.ask(headers=[("x-range", "other")]).status, 200)
        self.assertEqual(self.sluice.stats("http.http.ip_tagging.")["http.http.ip_tagging.local.hit"], 1)


    def test_a_file_of_tags_is_read_again_when_it_changes_and_a_wrong_one_changes_nothing(self):
        def tags(name):
            return f"ip_tags: [{{ip_tag_name: {name}, ip_list: [{{address_prefix: 127.0.0.0, prefix_len: 8}}]}}]"

        path = self.scratch.write("tags/tags.yaml", tags("first"))
        source = {"filename": path, "watched_directory": {"path": os.path.dirname(path)}}
        seen = [{"header": {"key": "x-seen", "value": "%REQ(x-envoy-ip-tags)%"}}]
        self.serve(
            entry("ip_tagging", "ip_tagging.v3.IPTagging", ip_tags_datasource=source),
            routes=[{**route("up"), "response_headers_to_add": seen}],
        )

        self.assertEqual(self.ask().header("x-seen"), "first")
        self.scratch.write("tags/tags.yaml", tags("second"))
        waitFor(lambda: self.ask().header("x-seen") == "second", "the new tags")
        self.scratch.write("tags/tags.yaml", "ip_tags: 7")
        waitFor(lambda: "the tags that were read before hold" in self.sluice.log(), "the refusal in the log")
        self.assertEqual(self.ask().header("x-seen"), "second")


class GeoipTest(ProtectionCase):
    NAMES = {"country": "x-country", "city": "x-city"}

    def serveFrom(self, countries, hops=0, **hcm):
        """A proxy whose database has these networks; `x-seen` tells what upstreams get."""
        self.path = self.scratch.write("geo/city.mmdb", self.database(countries))
        maxmind = {
            "@type": TYPE + "envoy.extensions.geoip_providers.maxmind.v3.MaxMindConfig",
            "city_db_path": self.path,
            "common_provider_config": {"geo_field_keys": self.NAMES},
        }
        at_home = {"name": "x-country", "string_match": {"exact": "AQ"}}
        seen = [{"header": {"key": "x-seen", "value": "%REQ(x-country)%,%REQ(x-city)%"}}]
        self.serve(
            entry(
                "geoip", "geoip.v3.Geoip", xff_config={"xff_num_trusted_hops": hops},
                provider={"name": "envoy.geoip_providers.maxmind", "typed_config": maxmind},
            ),
            routes=[
                route("up", match={"prefix": "/home", "headers": [at_home]}),
                {**route("up", match={"prefix": "/seen"}), "response_headers_to_add": seen},
            ],
            **hcm,
        )

    def database(self, countries):
        return mmdb.database({network: {"country": {"iso_code": code}} for network, code in countries.items()})

    def seen(self, *headers):
        return self.ask(path="/seen", headers=headers).header("x-seen")

    def test_services_and_routes_see_where_a_client_is_whatever_it_says(self):
        self.serveFrom({"127.0.0.0/8": "AQ"})

        self.assertEqual(self.ask(path="/home", headers=[("x-country", "BV")]).status, 200)
        self.assertEqual(self.seen(("x-country", "BV"), ("x-city", "Ice Town")), "AQ,")
        self.assertEqual(self.upstream.requests.get(timeout=5).header("x-country"), "AQ")
        stats = self.sluice.stats("http.http.")
        self.assertEqual((stats["http.http.geoip.total"], stats["http.http.maxmind.city_db.hit"]), (2, 2))

    def test_a_client_who_is_not_known_cannot_say_where_it_is(self):
        self.serveFrom({"192.0.2.0/24": "AQ"})

        self.assertEqual(self.ask(path="/home", headers=[("x-country", "AQ")]).status, 404)
        self.assertEqual(self.seen(("x-country", "AQ")), ",")

    def test_behind_a_trusted_proxy_the_client_is_the_one_that_it_has_seen(self):
        self.serveFrom({"192.0.2.0/24": "BV", "127.0.0.0/8": "AQ"}, hops=1, use_remote_address=True)

        self.assertEqual(self.seen(("x-forwarded-for", "127.0.0.1, 192.0.2.7")), "BV,")
        self.assertEqual(self.seen(), "AQ,")

    def test_a_new_database_serves_and_a_damaged_one_changes_nothing(self):
        self.serveFrom({"127.0.0.0/8": "AQ"})
        self.assertEqual(self.seen(), "AQ,")

        whole = self.database({"127.0.0.0/8": "BV"})
        self.scratch.write("geo/city.mmdb", whole)
        waitFor(lambda: self.seen() == "BV,", "the new database")
        with open(self.path, "r+b") as file:  # in place, as cp does
            file.truncate(40)
        waitFor(lambda: "serves on" in self.sluice.log(), "the refusal in the log")
        self.assertEqual(self.seen(), "BV,")
        with open(self.path, "wb") as file:
            file.write(self.database({"127.0.0.0/8": "HM"}))
        waitFor(lambda: self.seen() == "HM,", "the database that is whole again")
        stats = self.sluice.stats("maxmind.city_db")
        self.assertEqual(stats[f"maxmind.city_db.{self.path}.db_reload_success"], 2)
        self.assertEqual(stats[f"maxmind.city_db.{self.path}.db_reload_error"], 1)


class BodySizeLimitTest(ProtectionCase):
    def test_a_body_that_is_too_large_is_refused_however_it_comes(self):
        self.serve(entry("body_size_limit", "body_size_limit.v3.BodySizeLimit", max_request_bytes=1000))

        self.assertEqual(request(self.port, "POST", "/", body=b"a" * 1000).status, 200)
        self.assertEqual(request(self.port, "POST", "/", body=b"a" * 1001).status, 413)
        self.assertEqual(request(self.port, "POST", "/", body=[b"a" * 500, b"a" * 501]).status, 413)


class BotDetectionTest(ProtectionCase):
    def test_programs_are_refused_by_name(self):
        kind = TYPE + "sluice.extensions.filters.http.bot_detection.v1.BotDetection"
        rules = {"@type": kind, "allow": [{"prefix": "good-bot"}], "deny_missing_user_agent": True}
        self.serve({"name": "bots", "typed_config": rules})

        for name, status in (("curl/8", 403), ("Bad-Spider", 403), ("good-bot/1", 200), ("Mozilla/5.0 Firefox", 200)):
            self.assertEqual(self.ask(headers=[("user-agent", name)]).status, status, name)
        self.assertEqual(self.ask().status, 403)


class AdmissionControlTest(ProtectionCase):
    def test_requests_are_refused_while_all_of_them_fail(self):
        self.serve(
            entry("admission_control", "admission_control.v3.AdmissionControl", success_criteria={},
                  max_rejection_probability={"default_value": {"value": 100}}),
            reply=lambda _: Reply(status=500),
        )  # fmt: skip

        statuses = {self.ask().status for _ in range(200)}

        # The chance of 200 failures without a refusal is one in more than 10^300.
        self.assertEqual(statuses, {500, 503})
        self.assertGreater(self.sluice.stats("http.http.admission_control.")["http.http.admission_control.rq_rejected"], 0)


class AdaptiveConcurrencyTest(ProtectionCase):
    def test_requests_beside_the_only_one_that_is_allowed_are_refused(self):
        answer = threading.Event()
        self.addCleanup(answer.set)
        controller = {
            "concurrency_limit_params": {"concurrency_update_interval": "60s"},
            "min_rtt_calc_params": {"interval": "60s", "min_concurrency": 1, "request_count": 2},
        }
        self.serve(
            entry("adaptive_concurrency", "adaptive_concurrency.v3.AdaptiveConcurrency", gradient_controller_config=controller),
            reply=lambda _: Reply() if answer.wait(30) else None,
        )
        prefix = "http.http.adaptive_concurrency.gradient_controller."

        with rawConnection(self.port) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
            self.upstream.next()
            refused = self.ask()
            self.assertEqual((refused.status, refused.body), (503, b"reached concurrency limit"))
            stats = self.sluice.stats(prefix)
            self.assertEqual((stats[prefix + "rq_blocked"], stats[prefix + "concurrency_limit"]), (1, 1))
            self.assertEqual(stats[prefix + "min_rtt_calculation_active"], 1)
            answer.set()
            self.assertEqual(readResponse(first, "GET").status, 200)

        self.assertEqual(self.ask().status, 200)
        self.assertEqual(self.sluice.stats(prefix)[prefix + "min_rtt_calculation_active"], 0)


if __name__ == "__main__":
    unittest.main()
