"""What goes in on one side comes out on the other: methods, framing, addresses, and each way an upstream can fail."""
import os
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, config  # noqa: E402
from harness.config import TYPE, endpoint  # noqa: E402
from harness.upstream import readRequest  # noqa: E402

BIG = bytes(range(256)) * 4096  # 1 MiB


class ProxyCase(SluiceTestCase):
    def proxy(self, handler=None, upstream=None, routes=None, listener=None, cluster_fields=None, **hcm):
        """One listener "http" in front of one upstream; returns its port."""
        self.upstream = self.start(upstream or HttpUpstream(handler))
        listeners = [httpListener("http", routes or [route("up")], **(listener or {}), **hcm)]
        self.sluice = self.start(
            Sluice(self.scratch, bootstrap(listeners, [cluster("up", self.upstream.port, **(cluster_fields or {}))]))
        )
        return self.sluice.port("http")


class MessageTest(ProxyCase):
    def test_a_get_reaches_the_upstream_and_its_answer_comes_back(self):
        port = self.proxy(lambda request: Reply(200, b"hello", [("x-from", "upstream")]))

        response = get(port, "/path?query=1", [("x-to", "upstream")])

        seen = self.upstream.next()
        self.assertEqual((seen.method, seen.path, seen.header("x-to")), ("GET", "/path?query=1", "upstream"))
        self.assertEqual((response.status, response.body, response.header("x-from")), (200, b"hello", "upstream"))

    def test_the_host_header_is_passed_on(self):
        port = self.proxy()

        get(port, host="www.example.org:8080")

        self.assertEqual(self.upstream.next().header("host"), "www.example.org:8080")

    def test_the_proxy_names_itself_and_gives_a_request_id(self):
        port = self.proxy()

        response = get(port)

        self.assertEqual(response.header("server"), "sluice")
        self.assertRegex(self.upstream.next().header("x-request-id") or "", r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-")

    def test_with_the_defaults_of_envoy_the_proxy_has_its_name(self):
        listeners = [httpListener("http", [directResponse(200)])]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, []), args=["--defaults=envoy"]))

        self.assertEqual(get(sluice.port("http")).header("server"), "envoy")

    def test_a_route_that_is_not_for_forwarding_is_answered_as_one_without_its_cluster(self):
        port = self.proxy(routes=[{"match": {"prefix": "/"}, "non_forwarding_action": {}}])

        self.assertEqual(get(port).status, 503)

    def test_the_request_id_is_answered_when_configured(self):
        port = self.proxy(always_set_request_id_in_response=True)

        response = get(port)

        self.assertEqual(response.header("x-request-id"), self.upstream.next().header("x-request-id"))

    def test_the_client_address_is_told_with_use_remote_address(self):
        port = self.proxy(use_remote_address=True)

        get(port)

        seen = self.upstream.next()
        self.assertEqual((seen.header("x-forwarded-for"), seen.header("x-forwarded-proto")), ("127.0.0.1", "http"))

    def test_every_framing_of_a_request_arrives_with_the_same_body(self):
        port = self.proxy()
        for method, body, whole in (
            ("POST", b"abc", b"abc"),
            ("PUT", BIG, BIG),
            ("POST", [b"abc", b"def"], b"abcdef"),
            ("PATCH", [BIG, b"x"], BIG + b"x"),
            ("POST", [], b""),
            ("DELETE", b"", b""),
            ("OPTIONS", b"", b""),
        ):
            with self.subTest(method=method, size=len(whole), chunked=isinstance(body, list)):
                response = request(port, method, "/", [], body)
                seen = self.upstream.next()
                self.assertEqual(response.status, 200)
                self.assertEqual(seen.method, method)
                self.assertEqual(len(seen.body), len(whole))
                self.assertTrue(seen.body == whole)

    def test_every_framing_of_a_response_arrives_with_the_same_body(self):
        replies = {
            "/length": Reply(200, b"abc"),
            "/empty": Reply(200, b""),
            "/big": Reply(200, BIG),
            "/chunked": Reply(200, [b"abc", b"def"]),
            "/big-chunked": Reply(200, [BIG, b"x"]),
            "/closed": Reply(200, b"abc", close=True),
            "/http10": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        }
        port = self.proxy(lambda request: replies[request.path])
        for path, reply in replies.items():
            expected = b"abc" if path == "/http10" else b"".join(reply.body) if isinstance(reply.body, list) else reply.body
            with self.subTest(path=path):
                response = get(port, path)
                self.assertEqual((response.status, response.complete), (200, True))
                self.assertTrue(response.body == expected, f"{len(response.body)} bytes of {len(expected)}")

    def test_a_response_that_ends_with_the_connection_arrives_whole(self):
        def script(sock, number):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BIG)

        port = self.proxy(upstream=RawUpstream(script))

        response = get(port)

        self.assertTrue(response.complete)
        self.assertTrue(response.body == BIG, f"{len(response.body)} bytes")

    def test_trailers_pass_both_ways_when_enabled(self):
        port = self.proxy(
            lambda request: Reply(200, [b"abc"], trailers=[("x-sum", "3")]),
            http_protocol_options={"enable_trailers": True},
            cluster_fields={
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": config.TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
                    }
                }
            },
        )

        with rawConnection(port) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-in: 1\r\n\r\n")
            response = readResponse(sock)

        self.assertEqual(self.upstream.next().trailers, [("x-in", "1")])
        self.assertEqual(response.trailers, [("x-sum", "3")])

    def test_answers_that_have_no_body_end_where_their_headers_end(self):
        def handler(request):
            return Reply(int(request.path[1:]), b"", [("Content-Length", "5")] if request.method == "HEAD" else [])

        port = self.proxy(handler)
        with rawConnection(port) as sock:
            source = client.reader(sock)
            for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)):
                with self.subTest(method=method, status=status):
                    sock.sendall(client.requestBytes(method, f"/{status}"))
                    response = readResponse(source, method)
                    self.assertEqual((response.status, response.body), (status, b""))

    def test_expect_100_continue_is_answered_before_the_body_is_sent(self):
        port = self.proxy()

        with rawConnection(port) as sock:
            source = client.reader(sock)
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            interim = readResponse(source)
            sock.sendall(b"abc")
            final = readResponse(source)

        self.assertEqual((interim.status, final.status), (100, 200))
        self.assertEqual(self.upstream.next().body, b"abc")

    def test_the_host_says_whether_the_body_is_wanted_where_that_is_its_to_say(self):
        def script(sock, number):
            source = client.reader(sock)
            asked = readRequest(source).header("expect")
            if number == 1:
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                source.exactly(3)
            status = b"200 OK" if asked == "100-continue" and number == 1 else b"413 Too Much"
            sock.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        port = self.proxy(upstream=RawUpstream(script), proxy_100_continue=True)
        statuses = []
        for _ in range(2):
            with rawConnection(port) as sock:
                source = client.reader(sock)
                sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
                statuses.append(readResponse(source).status)
                if statuses[-1] == 100:
                    sock.sendall(b"abc")
                    statuses.append(readResponse(source).status)

        self.assertEqual(statuses, [100, 200, 413])

    def test_pipelined_requests_are_answered_in_order(self):
        port = self.proxy(lambda request: Reply(200, request.path.encode()))

        with rawConnection(port) as sock:
            sock.sendall(b"".join(client.requestBytes("GET", f"/{number}") for number in range(20)))
            source = client.reader(sock)
            bodies = [readResponse(source).body for _ in range(20)]

        self.assertEqual(bodies, [b"/%d" % number for number in range(20)])

    def test_requests_on_one_connection_reuse_one_upstream_connection(self):
        port = self.proxy()

        with rawConnection(port) as sock:
            source = client.reader(sock)
            for _ in range(10):
                sock.sendall(client.requestBytes("GET", "/"))
                self.assertEqual(readResponse(source).status, 200)

        self.assertEqual({self.upstream.next().connection for _ in range(10)}, {1})

    def test_connection_close_of_the_client_closes_after_the_answer(self):
        port = self.proxy()

        answer = exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

        self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
        self.assertIn(b"connection: close", answer.lower())

    def test_a_target_in_absolute_form_names_the_host(self):
        port = self.proxy()

        with rawConnection(port) as sock:
            sock.sendall(b"GET http://absolute.example/x HTTP/1.1\r\nHost: absolute.example\r\n\r\n")
            self.assertEqual(readResponse(sock).status, 200)

        seen = self.upstream.next()
        self.assertEqual((seen.path, seen.header("host")), ("/x", "absolute.example"))

    def test_curl_gets_and_posts(self):
        port = self.proxy(lambda request: Reply(200, request.body or b"got"))

        self.assertEqual(curl(f"http://127.0.0.1:{port}/"), (0, b"got"))
        self.assertEqual(curl("-d", "a=1", f"http://127.0.0.1:{port}/"), (0, b"a=1"))
        self.assertEqual(curl("-T", "-", f"http://127.0.0.1:{port}/up"), (0, b"got"))


class AddressTest(SluiceTestCase):
    def test_unix_sockets_and_ipv6_work_on_both_sides(self):
        upstream_path, listener_path = self.scratch.join("up.sock"), self.scratch.join("down.sock")
        by_unix = self.start(HttpUpstream(lambda request: Reply(200, b"unix"), path=upstream_path))
        by_v6 = self.start(HttpUpstream(lambda request: Reply(200, b"v6"), address=("::1", 0)))
        clusters = [
            cluster("unix", {"pipe": {"path": upstream_path}}),
            cluster("v6", config.socketAddress(by_v6.port, "::1")),
        ]
        listeners = [
            httpListener("pipe", [route("v6")], address={"pipe": {"path": listener_path}}),
            httpListener("v6", [route("unix")], address=config.socketAddress(0, "::1")),
        ]
        sluice = self.start(Sluice(self.scratch, bootstrap(listeners, clusters)))

        self.assertEqual(get(listener_path).body, b"v6")
        self.assertEqual(get(("::1", sluice.port("v6"))).body, b"unix")
        del by_unix

    def test_an_address_in_use_is_an_error_at_start(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            listener = httpListener("http", [directResponse(200)], address=config.socketAddress(port))
            sluice = self.start(Sluice(self.scratch, bootstrap([listener], []), wait=False))

            code = sluice.waitForExit()

        self.assertEqual(code, 1)
        self.assertIn(str(port), sluice.log())
        self.assertIn("in use", sluice.log().lower())


class RoutingTest(ProxyCase):
    def routed(self, routes=None, virtual_hosts=None, names=("a", "b")):
        clusters = []
        for name in names:
            upstream = self.start(HttpUpstream(lambda request, name=name: Reply(200, f"{name} {request.path}".encode())))
            clusters.append(cluster(name, upstream.port))
        listener = httpListener("http", routes, virtual_hosts)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))
        return self.sluice.port("http")

    def test_the_first_route_that_matches_is_taken(self):
        port = self.routed(
            [
                route("a", match={"path": "/exact"}),
                route("b", match={"prefix": "/e", "headers": [{"name": "x-b", "string_match": {"exact": "1"}}]}),
                route("a", match={"safe_regex": {"regex": "/[0-9]+/x"}}),
                route("b", prefix="/"),
            ]
        )

        self.assertEqual(get(port, "/exact").body, b"a /exact")
        self.assertEqual(get(port, "/exact?q").body, b"a /exact?q")
        self.assertEqual(get(port, "/else", [("x-b", "1")]).body, b"b /else")
        self.assertEqual(get(port, "/12/x").body, b"a /12/x")
        self.assertEqual(get(port, "/12/xy").body, b"b /12/xy")

    def test_the_most_specific_domain_is_taken_whatever_the_order(self):
        hosts = [
            {"name": "rest", "domains": ["*"], "routes": [directResponse(200, "rest")]},
            {"name": "suffix", "domains": ["*.example.org"], "routes": [directResponse(200, "suffix")]},
            {"name": "exact", "domains": ["www.example.org"], "routes": [directResponse(200, "exact")]},
        ]
        port = self.routed(virtual_hosts=hosts, names=())

        self.assertEqual(get(port, host="WWW.example.org").body, b"exact")
        self.assertEqual(get(port, host="api.example.org").body, b"suffix")
        self.assertEqual(get(port, host="example.net").body, b"rest")

    def test_no_route_is_404(self):
        port = self.routed([route("a", prefix="/a")])

        self.assertEqual(get(port, "/b").status, 404)

    def test_redirect_prefix_rewrite_and_host_rewrite(self):
        port = self.routed(
            [
                {"match": {"prefix": "/old"}, "redirect": {"path_redirect": "/new", "response_code": "FOUND"}},
                {"match": {"prefix": "/secure"}, "redirect": {"https_redirect": True}},
                route("a", prefix="/api/", prefix_rewrite="/"),
            ]
        )

        moved = get(port, "/old", host="h.example")
        secure = get(port, "/secure", host="h.example")

        self.assertEqual((moved.status, moved.header("location")), (302, "http://h.example/new"))
        self.assertEqual((secure.status, secure.header("location")), (301, "https://h.example/secure"))
        self.assertEqual(get(port, "/api/users?x=1").body, b"a /users?x=1")

    def test_headers_are_added_and_removed_as_configured(self):
        port = self.proxy(
            lambda request: Reply(200, b"", [("x-secret", "1")]),
            routes=[
                {
                    **route("up", host_rewrite_literal="inside.example"),
                    "request_headers_to_add": [{"header": {"key": "x-added", "value": "in"}}],
                    "request_headers_to_remove": ["x-debug"],
                    "response_headers_to_add": [{"header": {"key": "x-added", "value": "out"}}],
                    "response_headers_to_remove": ["x-secret"],
                }
            ],
        )

        response = get(port, headers=[("x-debug", "1")])

        seen = self.upstream.next()
        self.assertEqual((seen.header("host"), seen.header("x-added"), seen.header("x-debug")), ("inside.example", "in", None))
        self.assertEqual((response.header("x-added"), response.header("x-secret")), ("out", None))

    def test_weighted_clusters_share_by_weight(self):
        weights = {"clusters": [{"name": "a", "weight": 80}, {"name": "b", "weight": 20}]}
        port = self.routed([{"match": {"prefix": "/"}, "route": {"weighted_clusters": weights}}])

        bodies = [get(port).body[:1] for _ in range(400)]

        self.assertTrue(260 < bodies.count(b"a") < 380, f"{bodies.count(b'a')} of 400 for a weight of 80%")
        self.assertEqual(set(bodies), {b"a", b"b"})

    def test_round_robin_takes_each_endpoint_in_turn(self):
        ups = [self.start(HttpUpstream(lambda request, n=n: Reply(200, b"%d" % n))) for n in range(3)]
        listener = httpListener("http", [route("all")])
        sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("all", *[up.port for up in ups])])))
        port = sluice.port("http")

        bodies = [get(port).body for _ in range(9)]

        self.assertEqual(sorted(bodies), [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3)


class ZoneTest(SluiceTestCase):
    """One host of "app" in zone a, where the proxy is, and three in zone b."""

    def inZones(self, name, in_a, in_b, **more):
        result = cluster(name, **more)
        result["load_assignment"]["endpoints"] = [
            {"locality": {"zone": "a"}, "lb_endpoints": [endpoint(port) for port in in_a]},
            {"locality": {"zone": "b"}, "lb_endpoints": [endpoint(port) for port in in_b]}]
        return result

    def proxy(self, **app):
        ups = [self.start(HttpUpstream(lambda request, zone=zone: Reply(200, zone))) for zone in (b"a", b"b", b"b", b"b")]
        ports = [up.port for up in ups]
        clusters = [self.inZones("app", ports[:1], ports[1:], **app), self.inZones("us", [1], [2])]
        top = {"cluster_manager": {"local_cluster_name": "us"}, "node": {"locality": {"zone": "a"}}}
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", [route("app")])], clusters, **top)))
        port = self.sluice.port("http")
        return [get(port).body for _ in range(40)]

    def lb(self, name):
        return self.sluice.stat(f"cluster.app.lb_{name}")

    def test_a_zone_takes_of_its_requests_what_its_hosts_have_a_share_for(self):
        bodies = self.proxy(common_lb_config={"zone_aware_lb_config": {"min_cluster_size": 2}})

        self.assertAlmostEqual(bodies.count(b"a"), 20, delta=2)
        self.assertEqual(self.lb("zone_routing_sampled"), bodies.count(b"a"))
        self.assertEqual(self.lb("zone_routing_cross_zone"), bodies.count(b"b"))
        self.assertGreater(self.lb("recalculate_zone_structures"), 0)
        for zone in "a", "b":
            count = self.sluice.stat(f"cluster.app.zone.a.{zone}.upstream_rq_200")
            self.assertEqual(count, bodies.count(zone.encode()))

    def test_a_zone_takes_all_of_its_requests_if_it_is_told_to(self):
        policy = {"@type": TYPE + "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
                  "locality_lb_config": {"zone_aware_lb_config": {"min_cluster_size": 2, "force_local_zone": {}}}}
        bodies = self.proxy(load_balancing_policy={"policies": [{"typed_extension_config": {"name": "lr", "typed_config": policy}}]})

        self.assertEqual(set(bodies), {b"a"})
        self.assertEqual(self.lb("zone_routing_all_directly"), 40)

    def test_a_small_cluster_is_not_routed_by_zones(self):
        bodies = self.proxy()

        self.assertEqual(bodies.count(b"a"), 10)
        self.assertGreater(self.lb("zone_cluster_too_small"), 0)
        self.assertEqual(self.lb("zone_routing_cross_zone"), 0)


class FailingUpstreamTest(ProxyCase):
    def test_an_upstream_that_refuses_connections_gives_503(self):
        port = self.proxy()
        self.upstream.stop()

        response = get(port)

        self.assertEqual(response.status, 503)

    def test_an_upstream_that_closes_without_an_answer_gives_503(self):
        port = self.proxy(lambda request: None)

        self.assertEqual(get(port).status, 503)

    def test_an_answer_that_is_no_http_gives_a_gateway_error(self):
        port = self.proxy(lambda request: b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

        self.assertIn(get(port).status, (502, 503))

    def test_an_answer_cut_inside_its_body_is_never_passed_on_as_complete(self):
        port = self.proxy(lambda request: Reply(200, b"short", [("Content-Length", "100")], close=True))

        self.assertFalse(get(port).complete)

    def test_a_chunked_answer_cut_before_its_end_is_never_passed_on_as_complete(self):
        def script(sock, number):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

        port = self.proxy(upstream=RawUpstream(script))

        self.assertFalse(get(port).complete)

    def test_a_silent_upstream_gives_504_after_the_route_timeout(self):
        done = threading.Event()
        self.addCleanup(done.set)
        port = self.proxy(upstream=RawUpstream(lambda sock, number: done.wait(20)), routes=[route("up", timeout="0.2s")])

        self.assertEqual(get(port).status, 504)

    def test_the_proxy_serves_on_after_an_upstream_failed(self):
        port = self.proxy(lambda request: None if request.path == "/bad" else Reply())

        self.assertEqual([get(port, path).status for path in ("/bad", "/good", "/bad", "/good")], [503, 200, 503, 200])

    def test_a_request_with_two_framings_never_reaches_the_upstream(self):
        port = self.proxy()
        for head in (
            b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            b"Content-Length: 3\r\nContent-Length: 4\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Content-Length: +3\r\n",
            b"Transfer-Encoding : chunked\r\n",
        ):
            with self.subTest(head=head):
                answer = exchange(port, b"POST /smuggled HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n")
                self.assertTrue(answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 501"), answer)
        self.assertTrue(self.upstream.requests.empty())


class LimitTest(SluiceTestCase):
    def test_idle_connections_make_room_whichever_host_and_worker_they_belong_to(self):
        upstreams = [self.start(HttpUpstream()) for _ in range(8)]
        limited = cluster(
            "up", *[each.port for each in upstreams], circuit_breakers={"thresholds": [{"max_connections": 5}]}
        )
        listener = httpListener("http", [route("up")])
        sluice = self.start(Sluice(self.scratch, bootstrap([listener], [limited]), concurrency=4))

        statuses = [get(sluice.port("http")).status for _ in range(200)]

        self.assertEqual(statuses, [200] * 200)

    def test_a_configured_limit_holds_for_the_process_whatever_the_number_of_workers(self):
        for workers in (1, 4):
            with self.subTest(workers=workers):
                release, waiting = threading.Event(), threading.Semaphore(0)

                def handler(request):
                    waiting.release()
                    release.wait(10)
                    return Reply()

                upstream = self.start(HttpUpstream(handler))
                limited = cluster("up", upstream.port, circuit_breakers={"thresholds": [{"max_requests": 3}]})
                listener = httpListener("http", [route("up", timeout="0s")])
                sluice = self.start(Sluice(self.scratch, bootstrap([listener], [limited]), concurrency=workers))
                port = sluice.port("http")
                statuses = []
                threads = [threading.Thread(target=lambda: statuses.append(get(port).status)) for _ in range(16)]

                for thread in threads:
                    thread.start()
                for _ in range(3):
                    self.assertTrue(waiting.acquire(timeout=10))
                waitFor(lambda: len(statuses) == 13, "the requests above the limit to be answered")
                release.set()
                for thread in threads:
                    thread.join()

                self.assertEqual((statuses.count(200), statuses.count(503)), (3, 13))


if __name__ == "__main__":
    unittest.main()
