"""Fields of the HTTP connection manager: whom it believes, what it tells upstreams of the client, what heads look like."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client  # noqa: E402
from harness.client import curl, get  # noqa: E402
from harness.config import TYPE  # noqa: E402
from harness.sluice import runTool  # noqa: E402

EXTENSION = TYPE + "envoy.extensions."
HERE = {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}


def extension(kind, **fields):
    return {"name": kind, "typed_config": {"@type": EXTENSION + kind, **fields}}


def xff(**fields):
    return extension("http.original_ip_detection.xff.v3.XffConfig", **fields)


class ManagerCase(SluiceTestCase):
    def proxy(self, routes=None, node=None, cluster_fields=None, handler=None, **hcm):
        """A connection manager with these fields in front of one upstream; returns its port."""
        self.upstream = self.start(HttpUpstream(handler))
        more = {"node": node} if node else {}
        listeners = [httpListener("http", routes or [route("up")], **hcm)]
        up = cluster("up", self.upstream.port, **(cluster_fields or {}))
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [up], **more)))
        return self.sluice.port("http")

    def seen(self, port, headers=(), host="test.example", http2=False):
        """The request as the upstream has got it."""
        if http2:
            lines = [part for name, value in headers for part in ("-H", f"{name}: {value}")]
            code, _ = curl("--http2-prior-knowledge", "-H", f"host: {host}", *lines, f"http://127.0.0.1:{port}/")
            self.assertEqual(code, 0)
        else:
            get(port, "/", list(headers), host=host)
        return self.upstream.next()


class TrustTest(ManagerCase):
    def test_nobody_is_internal_who_was_not_named(self):
        port = self.proxy()

        for http2 in (False, True):
            seen = self.seen(port, [("x-envoy-internal", "true"), ("x-envoy-force-trace", "1")], http2=http2)
            self.assertIsNone(seen.header("x-envoy-internal"))
            self.assertIsNone(seen.header("x-envoy-force-trace"))

    def test_who_was_named_is_internal_as_long_as_it_speaks_for_no_stranger(self):
        port = self.proxy(internal_address_config=HERE)

        for http2 in (False, True):
            for forwarded, internal in (([], True), (["127.0.0.9"], True), (["8.8.8.8"], False)):
                headers = [("x-forwarded-for", each) for each in forwarded] + [("x-envoy-force-trace", "1")]
                seen = self.seen(port, headers, http2=http2)
                self.assertEqual(seen.header("x-envoy-internal"), "true" if internal else None)
                self.assertEqual(seen.header("x-envoy-force-trace"), "1" if internal else None)

    def test_a_unix_socket_is_internal_if_so_configured(self):
        path = self.scratch.join("http.sock")
        self.upstream = self.start(HttpUpstream())
        listener = httpListener(
            "http", [route("up")], address={"pipe": {"path": path}}, internal_address_config={"unix_sockets": True}
        )
        self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))

        self.assertEqual(self.seen(path).header("x-envoy-internal"), "true")

    def test_the_client_is_found_behind_trusted_proxies(self):
        trusted = {"cidrs": HERE["cidr_ranges"] + [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}
        told = {"header": {"key": "x-client", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
        port = self.proxy(
            routes=[{**route("up"), "request_headers_to_add": [told]}],
            original_ip_detection_extensions=[xff(xff_trusted_cidrs=trusted)],
        )

        for http2 in (False, True):
            seen = self.seen(port, [("x-forwarded-for", "9.9.9.9, 8.8.8.8, 10.0.0.1")], http2=http2)
            self.assertEqual(seen.header("x-client"), "8.8.8.8")
            self.assertEqual(seen.header("x-forwarded-for"), "9.9.9.9, 8.8.8.8, 10.0.0.1")

    def test_a_request_whose_client_is_not_named_is_refused_if_so_configured(self):
        named = extension(
            "http.original_ip_detection.custom_header.v3.CustomHeaderConfig",
            header_name="x-real-ip",
            reject_with_status={"code": 401},
        )
        port = self.proxy(original_ip_detection_extensions=[named])

        self.assertEqual(get(port).status, 401)
        self.assertEqual(get(port, "/", [("x-real-ip", "1.2.3.4, 5.6.7.8")]).status, 401)
        self.assertEqual(get(port, "/", [("x-real-ip", "1.2.3.4")]).status, 200)


class HeadTest(ManagerCase):
    def test_who_forwards_is_named(self):
        port = self.proxy(node={"id": "front-7", "cluster": "front"}, add_user_agent=True)

        seen = self.seen(port, [("x-envoy-downstream-service-cluster", "evil")])

        self.assertEqual(seen.header("x-envoy-downstream-service-cluster"), "front")
        self.assertEqual(seen.header("x-envoy-downstream-service-node"), "front-7")
        self.assertEqual(seen.header("user-agent"), "front")

    def test_the_scheme_is_that_of_the_configuration(self):
        port = self.proxy(scheme_header_transformation={"scheme_to_overwrite": "https"})

        for http2 in (False, True):
            self.assertEqual(self.seen(port, http2=http2).header("x-forwarded-proto"), "https")

    def test_early_changes_decide_about_the_route(self):
        early = extension(
            "http.early_header_mutation.header_mutation.v3.HeaderMutation",
            mutations=[
                {"append": {"header": {"key": "x-team", "value": "blue"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
                {"remove_on_match": {"key_matcher": {"prefix": "x-debug-"}}},
            ],
        )
        match = {"prefix": "/", "headers": [{"name": "x-team", "string_match": {"exact": "blue"}}]}
        port = self.proxy(routes=[route("up", match=match)], early_header_mutation_extensions=[early])

        for http2 in (False, True):
            seen = self.seen(port, [("x-team", "red"), ("x-debug-a", "1")], http2=http2)
            self.assertEqual((seen.header("x-team"), seen.header("x-debug-a")), ("blue", None))

    def test_port_and_last_dot_are_taken_off_the_host(self):
        port = self.proxy(strip_any_host_port=True, strip_trailing_host_dot=True)

        for http2 in (False, True):
            self.assertEqual(self.seen(port, host="a.example.:8443", http2=http2).header("host"), "a.example")

    def test_the_port_of_the_listener_is_told(self):
        port = self.proxy(use_remote_address=True, append_x_forwarded_port=True)

        self.assertEqual(self.seen(port, [("x-forwarded-port", "1")]).header("x-forwarded-port"), str(port))

    def test_an_ipv4_address_is_told_as_an_ipv6_one_if_so_configured(self):
        port = self.proxy(use_remote_address=True, represent_ipv4_remote_address_as_ipv4_mapped_ipv6=True)

        self.assertEqual(self.seen(port).header("x-forwarded-for"), "::ffff:127.0.0.1")


class NameCaseTest(SluiceTestCase):
    """Names of fields in HTTP/1, as bytes."""

    KEEP = {"header_key_format": {"stateful_formatter": extension("http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig")}}
    PROPER = {"header_key_format": {"proper_case_words": {}}}

    def exchange(self, listener_options, cluster_options):
        """The head that the host has got, and that of its answer as the client has got it."""
        heads = []

        def script(sock, number):
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(65536)
            heads.append(head.decode())
            sock.sendall(b"HTTP/1.1 200 OK\r\nX-FROM-Host: 1\r\nContent-Length: 0\r\n\r\n")
            sock.recv(1)

        upstream = self.start(RawUpstream(script))
        kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        options = {kind: {"@type": TYPE + kind, "explicit_http_config": {"http_protocol_options": cluster_options}}}
        up = cluster("up", upstream.port, typed_extension_protocol_options=options)
        listeners = [httpListener("http", [route("up")], http_protocol_options=listener_options)]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [up])))
        with client.rawConnection(sluice.port("http")) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHOST: a\r\nX-Request-ID: 1\r\n\r\n")
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += sock.recv(65536)
        return heads[0], answer.decode()

    def test_names_are_in_lower_case_without_a_word(self):
        request, answer = self.exchange({}, {})

        self.assertIn("\r\nhost: a\r\nx-request-id: 1\r\n", request)
        self.assertIn("\r\nx-from-host: 1\r\n", answer)

    def test_names_keep_their_case_both_ways(self):
        request, answer = self.exchange(self.KEEP, self.KEEP)

        self.assertIn("\r\nHOST: a\r\nX-Request-ID: 1\r\n", request)
        self.assertIn("x-forwarded-proto: http\r\n", request)
        self.assertIn("\r\nX-FROM-Host: 1\r\n", answer)

    def test_each_way_by_itself(self):
        request, answer = self.exchange(self.KEEP, {})

        self.assertIn("\r\nX-Request-ID: 1\r\n", request)
        self.assertIn("\r\nx-from-host: 1\r\n", answer)

    def test_names_are_written_in_proper_case_by_who_is_told_so(self):
        request, answer = self.exchange(self.PROPER, {"send_fully_qualified_url": True, **self.PROPER})

        self.assertTrue(request.startswith("GET http://a/ HTTP/1.1\r\nHost: a\r\n"), request)
        self.assertIn("\r\nX-Request-Id: 1\r\n", request)
        self.assertIn("\r\nX-From-Host: 1\r\n", answer)


class BrokenMessageTest(ManagerCase):
    def curlWithBrokenName(self, port):
        return curl("-s", "-o", "/dev/null", "--http2-prior-knowledge", "-H", "x-name: J\u00fcrgen", f"http://127.0.0.1:{port}/")[0]

    def test_values_beyond_ascii_are_served_without_a_word(self):
        self.assertEqual(self.curlWithBrokenName(self.proxy()), 0)

    def test_and_break_a_message_where_that_is_wanted(self):
        port = self.proxy(http2_protocol_options={"disallow_obs_text": True})

        self.assertNotEqual(self.curlWithBrokenName(port), 0)


class RouterTest(ManagerCase):
    def router(self, **fields):
        return [{"name": "envoy.filters.http.router", "typed_config": {"@type": EXTENSION + "filters.http.router.v3.Router", **fields}}]

    def test_answers_are_not_counted_where_nobody_wants_that(self):
        port = self.proxy(http_filters=self.router(dynamic_stats=False))

        self.assertEqual(get(port).status, 200)

        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_total") == 1, "the request")
        self.assertEqual(self.sluice.stat("cluster.up.upstream_rq_200"), 0)
        self.assertEqual(self.sluice.stat("cluster.up.upstream_rq_completed"), 0)
        self.assertEqual(self.sluice.stat("http.http.downstream_rq_2xx"), 1)

    def test_words_of_internal_callers_have_to_be_well_formed_where_that_is_wanted(self):
        name = "x-envoy-max-retries"
        port = self.proxy(http_filters=self.router(strict_check_headers=[name]), internal_address_config=HERE)

        self.assertEqual(get(port, "/", [(name, "many")]).status, 400)
        self.assertEqual(get(port, "/", [(name, "2")]).status, 200)

    def test_the_timeout_of_a_proxy_in_front_is_that_of_the_request_where_it_is_heeded(self):
        port = self.proxy(http_filters=self.router(respect_expected_rq_timeout=True), internal_address_config=HERE)

        seen = self.seen(port, [("x-envoy-expected-rq-timeout-ms", "2345")])

        self.assertEqual(seen.header("x-envoy-expected-rq-timeout-ms"), "2345")

    def test_a_policy_of_retries_may_be_the_clusters(self):
        key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        options = {
            "@type": TYPE + key,
            "explicit_http_config": {"http_protocol_options": {}},
            "retry_policy": {"retry_on": "5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.001s"}},
        }
        statuses = [503, 503, 200]
        port = self.proxy(
            cluster_fields={"typed_extension_protocol_options": {key: options}},
            handler=lambda request: Reply(statuses.pop(0)),
        )

        self.assertEqual(get(port).status, 200)
        self.assertEqual(self.sluice.stat("cluster.up.upstream_rq_retry"), 2)


class ConnectionTest(ManagerCase):
    def test_a_protocol_that_is_to_be_ignored_is_no_upgrade(self):
        asks = [("connection", "upgrade"), ("upgrade", "TLS/1.2")]
        refuses = self.proxy()
        self.assertEqual(get(refuses, "/", asks).status, 403)

        port = self.proxy(http_protocol_options={"ignore_http_11_upgrade": [{"prefix": "TLS/"}]})

        self.assertIsNone(self.seen(port, asks).header("upgrade"))

    def test_a_request_of_http_1_0_without_a_host_is_for_the_one_that_is_configured(self):
        options = {"accept_http_10": True, "default_host_for_http_10": "old.example"}
        port = self.proxy(http_protocol_options=options)

        self.assertIn(b" 200 ", exchange(port, b"GET / HTTP/1.0\r\n\r\n").split(b"\r\n")[0])
        self.assertEqual(self.upstream.next().header("host"), "old.example")

    def test_a_request_that_has_to_come_by_tls_and_names_no_host_is_not_sent_in_a_circle(self):
        hosts = [{"name": "all", "domains": ["*"], "require_tls": "ALL", "routes": [route("up")]}]
        listener = httpListener("http", virtual_hosts=hosts, http_protocol_options={"accept_http_10": True})
        port = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", 1)]))).port("http")

        self.assertIn(b" 301 ", exchange(port, b"GET / HTTP/1.0\r\nhost: a\r\n\r\n").split(b"\r\n")[0])
        answer = exchange(port, b"GET / HTTP/1.0\r\n\r\n")

        self.assertIn(b" 400 ", answer.split(b"\r\n")[0])
        self.assertNotIn(b"location", answer)

    def test_what_the_configuration_says_of_listener_and_chain_stands_in_the_log(self):
        path = self.scratch.join("access.log")
        text = "%METADATA(LISTENER:com.acme:team)% %METADATA(LISTENER_FILTER_CHAIN:com.acme:team)%\n"
        listener = httpListener("http", [directResponse(200)], access_log=[fileLog(path, text)])
        listener["metadata"] = {"filter_metadata": {"com.acme": {"team": "edge"}}}
        listener["filter_chains"][0]["metadata"] = {"filter_metadata": {"com.acme": {"team": "web"}}}
        port = self.start(Sluice(self.scratch, bootstrap([listener], []))).port("http")

        get(port)

        waitFor(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the entry")
        with open(path) as file:
            self.assertEqual(file.read(), "edge web\n")


class RefusalTest(SluiceTestCase):
    def problems(self, **hcm):
        path = self.scratch.write("wrong.json", json.dumps(bootstrap([httpListener("http", [route("up")], **hcm)], [cluster("up", 1)])))
        code, output = runTool("sluice", "-c", path, "--mode", "validate")
        self.assertEqual(code, 1, output)
        return output

    def test_what_contradicts_itself_is_refused_with_its_place(self):
        for fields, problem in (
            ({"use_remote_address": True, "original_ip_detection_extensions": [xff()]}, "cannot be used with use_remote_address"),
            ({"strip_any_host_port": True, "strip_matching_host_port": True}, "keep one of them"),
            ({"scheme_header_transformation": {"scheme_to_overwrite": "ftp"}}, "scheme_to_overwrite"),
            ({"internal_address_config": {"cidr_ranges": [{"address_prefix": "a"}]}}, "cidr_ranges[0]"),
            ({"http3_protocol_options": {}}, "is about HTTP/3, which is not spoken here"),
            ({"path_normalization_options": {}}, "has no effect in Envoy"),
            ({"set_current_client_cert_details": {"format": "JSON"}}, "JSON is not written here"),
        ):
            with self.subTest(problem=problem):
                self.assertIn(problem, self.problems(**fields))


if __name__ == "__main__":
    unittest.main()
