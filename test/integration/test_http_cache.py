"""The HTTP cache in a running proxy: what is served from it, what is asked anew, and what clients cannot do to it."""
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.client import curl, rawConnection, reader, readResponse, requestBytes  # noqa: E402

MEMORY = {"@type": config.TYPE + "sluice.extensions.caches.memory.v1.MemoryCache", "max_bytes": 8 << 20}
SIMPLE = {"@type": config.TYPE + "envoy.extensions.http.cache_v2.simple_http_cache.v3.SimpleHttpCacheV2Config"}
EVENT = "cache.event.cache_label.memory.event_type."


def cacheFilter(store=MEMORY, **fields):
    return {
        "name": "envoy.filters.http.cache_v2",
        "typed_config": {
            "@type": config.TYPE + "envoy.extensions.filters.http.cache_v2.v3.CacheV2Config",
            "typed_config": store,
            **fields,
        },
    }


class CacheCase(SluiceTestCase):
    def serve(self, answer, filters=None, concurrency=1, routes=None):
        self.upstream = self.start(HttpUpstream(answer))
        listener = httpListener("http", routes or [route("up")], filters=filters or [cacheFilter()])
        up = cluster("up", self.upstream.port)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [up]), concurrency=concurrency))
        self.port = self.sluice.port("http")

    def connect(self):
        connection = rawConnection(self.port)
        self.addCleanup(connection.close)
        return connection

    def asked(self):
        return self.upstream.requests.qsize()


class ServingTest(CacheCase):
    def test_an_answer_is_fetched_once_whichever_worker_is_asked(self):
        body = os.urandom(300_000)
        self.serve(lambda _: Reply(body=body, headers=[("cache-control", "max-age=600"), ("etag", '"1"')]), concurrency=3)

        first = get(self.port, "/a")
        others = [get(self.port, "/a") for _ in range(12)]

        self.assertEqual(first.header("cache-status"), "sluice; fwd=uri-miss; stored")
        self.assertEqual({response.body for response in [first, *others]}, {body})
        self.assertTrue(all("; hit; ttl=" in response.header("cache-status") for response in others))
        self.assertTrue(all(response.header("age").isdigit() for response in others))
        self.assertEqual(self.asked(), 1)
        self.assertEqual(self.sluice.stat(EVENT + "hit"), 12)
        self.assertEqual(self.sluice.stat(EVENT + "miss"), 1)

    def test_heads_conditions_and_parts_are_answered_from_what_is_stored(self):
        self.serve(lambda _: Reply(body=b"0123456789", headers=[("cache-control", "max-age=600"), ("etag", '"1"')]))
        get(self.port, "/a")

        head = request(self.port, "HEAD", "/a")
        known = get(self.port, "/a", [("if-none-match", '"1"')])
        part = get(self.port, "/a", [("range", "bytes=2-4")])
        beyond = get(self.port, "/a", [("range", "bytes=10-")])

        self.assertEqual((head.status, head.header("content-length"), head.body), (200, "10", b""))
        self.assertEqual((known.status, known.header("etag"), known.body), (304, '"1"', b""))
        self.assertEqual((part.status, part.header("content-range"), part.body), (206, "bytes 2-4/10", b"234"))
        self.assertEqual(beyond.status, 416)
        self.assertEqual(self.asked(), 1)

    def test_it_serves_clients_of_http2(self):
        self.serve(lambda _: Reply(body=b"body", headers=[("cache-control", "max-age=600"), ("etag", '"1"')]))
        get(self.port, "/a", host="h2.example")
        arguments = ["-s", "-i", "--http2-prior-knowledge", "-H", "host: h2.example", f"http://127.0.0.1:{self.port}/a"]

        _, hit = curl(*arguments)
        _, known = curl("-H", 'if-none-match: "1"', *arguments)

        self.assertIn("; hit; ttl=", str(hit))
        self.assertIn("body", str(hit))
        self.assertIn("HTTP/2 304", str(known))
        self.assertEqual(self.asked(), 1)

    def test_a_client_that_reads_nothing_does_not_keep_others_from_their_answer(self):
        body = os.urandom(800_000)
        self.serve(lambda _: Reply(body=body, headers=[("cache-control", "max-age=600")]))
        get(self.port, "/a")
        slow = self.connect()
        slow.sendall(requestBytes("GET", "/a"))

        self.assertEqual(get(self.port, "/a").body, body)
        self.assertEqual(readResponse(reader(slow)).body, body)


class ValidationTest(CacheCase):
    def test_a_stale_answer_is_validated_and_filters_in_front_see_no_difference(self):
        def answer(asked):
            fields = [("cache-control", "max-age=0"), ("etag", '"1"')]
            return Reply(304, headers=fields) if asked.header("if-none-match") == '"1"' else Reply(body=b"body", headers=fields)

        mark = {
            "name": "mark",
            "typed_config": {
                "@type": config.TYPE + "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                "mutations": {"response_mutations": [{"append": {"header": {"key": "x-front", "value": "seen"}}}]},
            },
        }
        self.serve(answer, filters=[mark, cacheFilter()])
        get(self.port, "/a")

        response = get(self.port, "/a")

        self.assertEqual((response.status, response.body, response.header("x-front")), (200, b"body", "seen"))
        self.assertIn("fwd=stale; fwd-status=304", response.header("cache-status"))
        self.assertEqual(self.asked(), 2)
        self.assertEqual(self.sluice.stat(EVENT + "validate"), 1)

    def test_a_stale_answer_is_served_while_the_upstream_is_down(self):
        self.serve(lambda _: Reply(body=b"body", headers=[("cache-control", "max-age=0, stale-if-error=600"), ("etag", '"1"')]))
        get(self.port, "/a")
        self.upstream.stop()

        response = get(self.port, "/a")

        self.assertEqual((response.status, response.body), (200, b"body"))
        self.assertIn("fwd-status=503", response.header("cache-status"))

    def test_a_change_makes_what_is_stored_out_of_date(self):
        self.serve(lambda asked: Reply(body=asked.method.encode(), headers=[("cache-control", "max-age=600")]))
        get(self.port, "/a")
        request(self.port, "POST", "/a", body=b"new")

        get(self.port, "/a")

        self.assertEqual([self.upstream.next().method for _ in range(3)], ["GET", "POST", "GET"])


class WaitingTest(CacheCase):
    def test_many_wait_for_one_fetch(self):
        go = threading.Event()

        def answer(_):
            go.wait(20)
            return Reply(body=b"body", headers=[("cache-control", "max-age=600")])

        self.serve(answer)
        connections = [self.connect() for _ in range(20)]
        for connection in connections:
            connection.sendall(requestBytes("GET", "/a"))
        self.upstream.next()
        go.set()

        bodies = {readResponse(reader(connection)).body for connection in connections}

        self.assertEqual(bodies, {b"body"})
        self.assertEqual(self.asked(), 0)  # the one was taken

    def test_who_waits_for_what_is_private_gets_an_answer_of_his_own(self):
        def answer(asked):
            return Reply(body=asked.header("x-user").encode(), headers=[("cache-control", "private, max-age=600")])

        self.serve(answer)
        connections = [self.connect() for _ in range(10)]
        for number, connection in enumerate(connections):
            connection.sendall(requestBytes("GET", "/a", [("x-user", str(number))]))

        bodies = [readResponse(reader(connection)).body for connection in connections]

        self.assertEqual(bodies, [str(number).encode() for number in range(10)])
        self.assertEqual(self.asked(), 10)

    def test_a_fetch_that_hangs_is_followed_by_one_more(self):
        hang = threading.Event()
        self.addCleanup(hang.set)
        asked = iter(range(100))

        def answer(_):
            if next(asked) == 0:
                hang.wait(20)
            return Reply(body=b"body", headers=[("cache-control", "max-age=600")])

        self.serve(answer, routes=[route("up", timeout="3s")])
        self.connect().sendall(requestBytes("GET", "/a"))
        self.upstream.next()
        connections = [self.connect() for _ in range(10)]
        for connection in connections:
            connection.sendall(requestBytes("GET", "/a"))

        bodies = {readResponse(reader(connection)).body for connection in connections}

        self.assertEqual(bodies, {b"body"})
        self.assertEqual(self.asked(), 1)  # the one that hangs was taken


class PurgeTest(CacheCase):
    def purge(self, query):
        return self.sluice.admin("/cache/purge?" + query, "POST")

    def test_answers_are_purged_on_all_workers_by_url_prefix_and_tag(self):
        fields = [("cache-control", "max-age=600"), ("vary", "accept"), ("cache-tag", "news sport")]
        self.serve(lambda _: Reply(headers=fields), filters=[cacheFilter(allowed_vary_headers=[{"exact": "accept"}])], concurrency=3)

        def fill():
            for path in ("/a", "/a?x", "/b"):
                for accept in ("text/html", "text/plain"):
                    get(self.port, path, [("accept", accept)], host="www.example")
            return [self.upstream.next().path for _ in range(self.asked())]

        self.assertEqual(len(fill()), 6)
        self.assertEqual(fill(), [])
        self.assertEqual(self.purge("url=http://www.example/a").body, b"removed: 2\n")
        self.assertEqual(fill(), ["/a"] * 2)
        self.assertEqual(self.purge("prefix=www.example/a").body, b"removed: 4\n")
        self.assertEqual(fill(), ["/a"] * 2 + ["/a?x"] * 2)
        self.assertEqual(self.purge("tag=news").body, b"removed: 6\n")
        self.assertEqual(self.purge("tag=news").body, b"removed: 0\n")
        self.assertEqual(len(fill()), 6)

    def test_what_is_on_its_way_when_the_purge_comes_is_not_stored(self):
        go = threading.Event()
        self.addCleanup(go.set)
        bodies = iter([b"old", b"new"])

        def answer(_):
            body = next(bodies)
            go.wait(20)
            return Reply(body=body, headers=[("cache-control", "max-age=600")])

        self.serve(answer)
        before, after = self.connect(), self.connect()
        before.sendall(requestBytes("GET", "/a", [("host", "www.example")]))
        self.upstream.next()
        self.assertEqual(self.purge("prefix=www.example").body, b"removed: 0\n")
        after.sendall(requestBytes("GET", "/a", [("host", "www.example")]))
        go.set()

        self.assertEqual(readResponse(reader(before)).body, b"old")
        self.assertEqual(readResponse(reader(after)).body, b"new")
        self.assertEqual(get(self.port, "/a", host="www.example").body, b"new")

    def test_a_purge_needs_post_and_one_parameter_that_it_knows(self):
        self.serve(lambda _: Reply())
        self.assertEqual(self.sluice.admin("/cache/purge?tag=news").status, 405)
        for query in ("", "tag=", "url=www.example/a", "tag=a&tag=b", "path=/a"):
            self.assertEqual(self.purge(query).status, 400)


class PoisoningTest(CacheCase):
    def test_what_a_client_adds_does_not_reach_others(self):
        def answer(asked):
            shown = " ".join(f"{name}={value}" for name, value in asked.headers if name.startswith("x-") or name == "origin")
            return Reply(body=f"{asked.method} {asked.path} {shown}".encode(), headers=[("cache-control", "max-age=600")])

        self.serve(answer)
        for headers in (
            [("x-forwarded-host", "evil.example")],
            [("x-original-url", "/admin")],
            [("x-http-method-override", "DELETE")],
            [("origin", "https://evil.example")],
        ):
            get(self.port, "/a", headers)
        request(self.port, "GET", "/a", body=b"evil=1")

        clean = get(self.port, "/a").body.decode()

        self.assertNotIn("evil", clean)
        self.assertNotIn("admin", clean)
        self.assertNotIn("DELETE", clean)

    def test_a_body_that_breaks_off_is_not_stored(self):
        cut = b"HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ncontent-length: 10\r\n\r\nhalf"
        answers = iter([cut])
        whole = Reply(body=b"whole", headers=[("cache-control", "max-age=600")])
        self.serve(lambda _: next(answers, whole))
        connection = self.connect()
        connection.sendall(requestBytes("GET", "/a"))
        self.upstream.next()
        connection.close()

        self.assertEqual(get(self.port, "/a").body, b"whole")


class ConfigurationTest(CacheCase):
    def test_the_simple_store_of_envoy_works_as_it_is(self):
        self.serve(lambda _: Reply(headers=[("cache-control", "max-age=600")]), filters=[cacheFilter(SIMPLE)])
        get(self.port)
        get(self.port)
        self.assertEqual(self.asked(), 1)


if __name__ == "__main__":
    unittest.main()
