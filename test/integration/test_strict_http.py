"""An HTTP edge that takes nothing that it cannot forward in one meaning: bytes that a client of HTTP/1 may send, what it gets
for them, and that no upstream has seen them. test/conformance/attacks.md says which test each row of the catalogue has.
"""
import itertools
import os
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, frames  # noqa: E402
from harness.strict import StrictCase, chunked, head, post, statuses  # noqa: E402


class FramingTest(StrictCase):
    """B1, S1 to S7."""

    def test_length_and_transfer_encoding_together(self):
        self.proxy()
        coded = (b"chunked", b"Chunked", b"identity", b"gzip, chunked", b"x")
        self.refused(
            (f"S1 {value} {first}", post(*pair[::first], body=b"0\r\n\r\n"), (400, 501))
            for value in coded
            for first in (1, -1)
            for pair in [(b"Content-Length: 5", b"Transfer-Encoding: " + value)]
        )

    def test_more_than_one_length(self):
        self.proxy()
        fields = [(b"5", b"5"), (b"5", b"6"), (b"", b"5"), (b"5", b""), (b"5,5",), (b"5, 6",), (b"5,",), (b",5",)]
        self.refused(
            (f"S2 {each}", post(*[b"Content-Length: " + value for value in each], body=b"hello"), 400) for each in fields
        )

    def test_a_length_that_is_no_plain_number(self):
        self.proxy()
        values = [b"+5", b"-0", b"-5", b"0x5", b"1_0", b"5a", b"", b'"5"', b"5 5", b"5;", b"\xb2", b"5.0", b"1e1"]
        values += [str(2**63).encode(), str(2**64 + 5).encode(), b"9" * 40, b"5\x0b"]
        self.refused((f"S3 {value}", post(b"Content-Length: " + value, body=b"hello"), 400) for value in values)

    def test_a_transfer_encoding_in_disguise(self):
        self.proxy()
        values = [b",chunked", b"chunked,", b"\x0bchunked", b"\xa0chunked", b"gzip", b"chunked, identity", b"xchunked", b""]
        values += [b"chunked, chunked", b"identity, chunked", b"chunked;q=1", b'"chunked"', b"chunked\x00", b"chunked\x0c"]
        cases = [(f"S4 {value}", post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), (400, 501)) for value in values]
        twice = [b"Transfer-Encoding: chunked"] * 2
        cases += [("S4 two", post(*twice, body=b"0\r\n\r\n"), 400)]
        names = [b"Transfer-Encoding : chunked", b"Transfer_Encoding\x00: chunked", b" Transfer-Encoding: chunked"]
        cases += [(f"S4 {name}", post(name, body=b"0\r\n\r\n"), 400) for name in names]
        old = head(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0") + b"0\r\n\r\n"
        self.refused(cases + [("S4 HTTP/1.0", old, (400, 426))])

    def test_chunk_sizes(self):
        self.proxy()
        sizes = [b"0x1", b"+1", b"-1", b" 1", b"1_0", b"", b"g", b"1 ", b"1\t", b"1\x00", b"f" * 17, b"8" + b"0" * 15]
        sizes += [b"1;a\nb", b"1;a\rb", b"1;a\x00", b"1;" + b"e" * 20_000, b"0" * 17]
        self.refused((f"S5 {size[:20]}", chunked(size + b"\r\nx\r\n0\r\n\r\n"), 400) for size in sizes)

    def test_ends_of_chunks(self):
        self.proxy()
        bodies = [b"1\nx\r\n0\r\n\r\n", b"1\r\nx\n0\r\n\r\n", b"1\r\nx\r\n0\n\r\n", b"1\r\nx\r\n0\r\n\n", b"1\rXx\r\n0\r\n\r\n",
                  b"1\r\nx\rX0\r\n\r\n", b"1\r\nxXX0\r\n\r\n", b"1\r\nx\r\n\r\n0\r\n\r\n", b"1\r\nxy\r\n0\r\n\r\n",
                  b"1\r\nx\r\n0\r\nX\r\n\r\n"]  # fmt: skip
        self.refused((f"S6 {body}", chunked(body), 400) for body in bodies)

    def test_a_last_line_end_that_does_not_come_is_waited_for_and_then_refused(self):
        self.proxy(request_timeout="0.3s")

        self.refused([("S6 missing", chunked(b"1\r\nx\r\n0\r\n"), 408)])

    def test_extensions_of_chunks_are_dropped(self):
        self.proxy()

        got, seen = self.taken(chunked(b'1;a="b;c"\r\nx\r\n0;last\r\n\r\n'))

        self.assertEqual((got, seen[0].body), ([200, 200], b"x"))

    def test_trailers_that_frame_route_or_authenticate_are_dropped(self):
        self.proxy()
        bad = [b"Content-Length", b"Transfer-Encoding", b"Host", b"Authorization", b"Cookie", b"Set-Cookie", b"Content-Type",
               b"Content-Encoding", b"Connection", b"Upgrade", b"TE", b"Trailer", b"X-Forwarded-For", b"X-Envoy-Internal",
               b"X-Real-IP", b"Forwarded", b"Expect", b"Max-Forwards", b"Via", b"Range", b"If-Match", b"X_Under",
               b"X-HTTP-Method-Override", b"X-User", b"X-Auth-Request-User", b"Remote-User", b"X-Remote-User", b"Origin",
               b"X-Original-URL", b"X-Rewrite-URL", b"Proxy-Authorization", b"Cache-Control", b"X-Sluice-Retry-Refused",
               b"X-Forwarded", b"X-Client-Cert", b"X-Ssl-Client-Verify", b"Sec-WebSocket-Key", b"Access-Control-Request-Method",
               b"Keep-Alive", b"Http2-Settings", b"Grpc-Timeout", b"X-Request-Id", b"Front-End-Https", b"X-Host"]  # fmt: skip
        lines = b"".join(name + b": 5\r\n" for name in bad)

        got, seen = self.taken(chunked(b"1\r\nx\r\n0\r\n" + lines + b"X-Sum: 7\r\nETag: a\r\nContent-Digest: b\r\n\r\n"))

        self.assertEqual(got, [200, 200])
        self.assertEqual(seen[0].trailers, [("x-sum", "7"), ("etag", "a"), ("content-digest", "b")])


class SyntaxTest(StrictCase):
    """B1, S8 to S12; B6, D13."""

    def test_bytes_that_end_lines_or_texts(self):
        self.proxy()
        cases = [("S8 fold", head(b"A: b", b" c"), 400), ("S8 fold of the first", head(host=None, line=b"GET / HTTP/1.1\r\n a: b"), 400)]
        for byte in (b"\r", b"\n", b"\0", b"\x0b", b"\x7f"):
            places = [b"A" + byte + b"B: c", byte + b"A: c", b"A: b" + byte + b"c", b"A:" + byte + b"c", b"A" + byte + b": c"]
            places += [b"A: b" + byte] if byte != b"\r" else [b"A: b\r\r"]
            cases += [(f"S8 {place}", head(place, b"B: c"), 400) for place in places if place != b"A: b\n"]
        cases += [("S8 bare LF as the end of lines", b"GET / HTTP/1.1\nHost: a.example\n\n", 400)]
        cases += [("S8 LF behind a value", head(b"A: b\nC: d"), 400)]
        self.refused(cases)

    def test_names(self):
        self.proxy()
        names = [b"A : b", b"A\t: b", b" A: b", b": b", b":b", b"no colon", b"A\xe9: b", b"A(: b", b"A/B: b", b"A@: b", b"A{: b"]
        names += [b":path: /admin", b'"A": b', b"A B: c"]
        self.refused((f"S9 {name}", head(b"C: d", name), 400) for name in names)

    def test_a_name_of_any_length_is_one_name(self):
        self.proxy(max_request_headers_kb=60)
        for size in (255, 256, 257, 32_767, 32_768, 32_769):
            got, seen = self.taken(head(b"a" * (size - 14) + b"content-length: 5"))
            self.assertEqual((got, seen[0].header("content-length"), seen[0].body), ([200, 200], None, b""))
        self.refused((f"S10 {size}", head(b"a" * size + b"content-length: 5"), 431) for size in (61_440, 65_535, 65_537))

    def test_methods_and_targets(self):
        self.proxy()
        lines = [b"GE T / HTTP/1.1", b"G\rT / HTTP/1.1", b"GET  / HTTP/1.1", b"GET /a b HTTP/1.1", b"GET http://a b/ HTTP/1.1",
                 b"GET\t/ HTTP/1.1", b"GET /\t HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\xe9 HTTP/1.1", b" GET / HTTP/1.1",
                 b"G@T / HTTP/1.1", b"GET a HTTP/1.1", b"GET * HTTP/1.1", b"GET ? HTTP/1.1", b"GET ftp://a.example/ HTTP/1.1",
                 b"GET //\x7f HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/1.1\tX", b"GET / http/1.1", b"GET / HTTP/1,1",
                 b"GET / HTTP/11", b"GET / HTTP/01.1", b"GET / HTTP/1.10", b"GET / XTTP/1.1", b"GET http:///a HTTP/1.1",
                 b"GET http:/a HTTP/1.1", b"GET http://a.example:99999/ HTTP/1.1", b"CONNECT / HTTP/1.1",
                 b"CONNECT http://a.example/ HTTP/1.1", b"OPTIONS a HTTP/1.1", b"A" * 65 + b" / HTTP/1.1"]  # fmt: skip
        self.refused((f"S11 {line}", head(line=line), 400) for line in lines)
        self.refused((f"P4 {target}", head(line=b"GET " + target + b" HTTP/1.1"), 400) for target in (b"/a#b", b"/a/admin#", b"/#x"))
        self.refused([("P8 HTTP/0.9", b"GET /\r\n\r\n", 400), ("HTTP/2.0", head(line=b"GET / HTTP/2.0"), 505),
                      ("HTTP/0.9 by name", head(line=b"GET / HTTP/0.9"), 505), ("HTTP/1.0", head(line=b"GET / HTTP/1.0"), 426)])  # fmt: skip

    def test_hosts(self):
        self.proxy()
        hosts = [b"a b", b"a@b", b"u:p@a.example", b"a.example:", b"a.example:x", b"a.example:65536", b"a.example:-1", b"a,b", b"a/b",
                 b"a?b", b"a#b", b"", b"[::1", b"[]", b"[::1]x", b"[g::1]", b"a\\b", b"a\x00", b"a:1:2", b"a%"]  # fmt: skip
        cases = [(f"S12 {host}", head(host=b"Host: " + host), 400) for host in hosts if host not in (b"a.example:", b"a%")]
        cases += [("S12 none", head(host=None), 400), ("S12 two", head(b"Host: a.example"), 400), ("S12 two", head(b"Host: b"), 400)]
        absolute = [b"http://b.example/", b"http://a.example:81/", b"https://b.example/"]
        cases += [(f"S12 {url}", head(line=b"GET " + url + b" HTTP/1.1"), 400) for url in absolute]
        users = [b"http://u@a.example/", b"http://u:p@a.example/", b"http://a.example\\@b/"]
        cases += [(f"S12 {url}", head(line=b"GET " + url + b" HTTP/1.1"), 400) for url in users]
        for target in (b"b.example:443", b"a.example", b"a.example:", b"a.example:0"):
            cases += [(f"S12 CONNECT {target}", head(line=b"CONNECT " + target + b" HTTP/1.1"), 400)]
        self.refused(cases)

    def test_the_absolute_form_is_the_same_request(self):
        self.proxy(routes=[{"match": {"prefix": "/admin"}, "direct_response": {"status": 403}}, route("up")])

        got, seen = self.taken(
            head(line=b"GET http://a.example/x HTTP/1.1") + head(line=b"GET HTTP://A.example/admin HTTP/1.1")
            + head(line=b"GET http://a.example?q HTTP/1.1")
        )  # fmt: skip

        self.assertEqual(got, [200, 403, 200, 200])
        self.assertEqual([(each.path, each.header("host")) for each in seen], [("/x", "a.example"), ("/?q", "a.example")])

    def test_limits(self):
        self.proxy()
        many = [b"A%d: b" % number for number in range(101)]
        self.refused([("D13 fields", head(*many), 431), ("D13 field", head(b"A: " + b"b" * 70_000), 431),
                      ("D13 target", head(line=b"GET /" + b"a" * 70_000 + b" HTTP/1.1"), 414),
                      ("D13 trailers", chunked(b"0\r\n" + b"".join(each + b"\r\n" for each in many) + b"\r\n"), 431),
                      ("D13 trailer", chunked(b"0\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"), 431),
                      ("D2 a head without end", head(*[b"A: " + b"b" * 1000] * 200), 431)])  # fmt: skip

    def test_a_long_authority_and_a_huge_grpc_timeout_do_no_harm(self):
        self.proxy()

        got, seen = self.taken(
            head(host=b"Host: " + b"a" * 300 + b".example") + head(b"grpc-timeout: 99999999H") + head(b"grpc-timeout: 999999999999S")
        )

        self.assertEqual((got, len(seen)), ([200] * 4, 3))

    def test_one_empty_line_before_a_request_is_passed_over(self):
        self.proxy()

        self.assertEqual(self.taken(b"\r\n" + head())[0], [200, 200])
        self.refused([("two", b"\r\n\r\n" + head(), 400)])


class ConformanceTest(StrictCase):
    """What RFC 9110 and 9112 ask of a proxy."""

    def test_fields_of_the_connection_stay_on_it(self):
        self.proxy()
        fields = [b"Connection: x-mine, keep-alive, X-Forwarded-For, Cookie, Authorization", b"X-Mine: 1", b"X-Forwarded-For: 9.9.9.9",
                  b"Cookie: a=b", b"Authorization: c", b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"TE: trailers, gzip",
                  b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Upgrade: h2c", b"Proxy-Authorization: d"]  # fmt: skip

        got, seen = self.taken(head(*fields))

        self.assertEqual(got, [200, 200])
        request = seen[0]
        gone = ("x-mine", "keep-alive", "proxy-connection", "http2-settings", "upgrade")
        self.assertEqual([request.header(name) for name in gone], [None] * 5)
        self.assertEqual(request.header("connection"), "te")  # what we say to the host (RFC 9110 section 10.1.4)
        self.assertEqual([request.header(name) for name in ("cookie", "authorization", "te")], ["a=b", "c", "trailers"])
        self.assertIn("9.9.9.9", request.header("x-forwarded-for"))

    def test_via_only_if_it_is_configured_and_a_date_always(self):
        self.proxy()
        response = get(self.port)

        self.assertEqual((response.header("via"), self.upstream.next().header("via")), (None, None))
        self.assertRegex(response.header("date"), r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_http_10_gets_no_chunks_and_its_connection_ends_unless_it_asks(self):
        self.proxy(lambda request: Reply(200, [b"ab", b"c"]), http_protocol_options={"accept_http_10": True})

        closing = exchange(self.port, head(line=b"GET / HTTP/1.0", host=None) + head(line=b"GET /2 HTTP/1.0"))
        asked = head(b"Connection: keep-alive", line=b"HEAD / HTTP/1.0")
        kept = exchange(self.port, asked + head(line=b"HEAD / HTTP/1.0"))

        self.assertEqual(statuses(closing), [200])
        self.assertNotIn(b"transfer-encoding", closing.lower())
        self.assertTrue(closing.endswith(b"\r\n\r\nabc"), closing)
        self.assertEqual(statuses(kept), [200, 200])

    def test_a_request_of_http_10_is_forwarded_as_http_11(self):
        self.proxy(http_protocol_options={"accept_http_10": True})

        exchange(self.port, head(line=b"GET / HTTP/1.0") + head(line=b"GET /2 HTTP/1.0"))

        seen = self.upstream.next()
        self.assertEqual((seen.version, seen.header("host")), ("HTTP/1.1", "a.example"))
        self.assertTrue(self.upstream.requests.empty())

    def test_the_body_is_asked_for_only_once_the_chain_lets_the_request_through(self):
        deny = {"match": {"prefix": "/deny"}, "direct_response": {"status": 403}}
        self.proxy(routes=[deny, route("up")])
        asking = (b"Expect: 100-continue", b"Content-Length: 5")

        refused = exchange(self.port, head(*asking, line=b"POST /deny HTTP/1.1"))

        self.assertEqual(statuses(refused), [403])
        with client.rawConnection(self.port) as sock:
            sock.sendall(head(*asking, line=b"POST / HTTP/1.1"))
            source = client.reader(sock)
            self.assertEqual(client.readResponse(source).status, 100)
            sock.sendall(b"hello")
            self.assertEqual(client.readResponse(source).status, 200)
        self.assertEqual(self.upstream.next().body, b"hello")

    def test_other_expectations_are_refused(self):
        self.proxy()
        values = (b"200-ok", b"100-continue, x", b"100-continue;q=1", b"x")
        self.refused((f"Expect {value}", post(b"Expect: " + value, b"Content-Length: 0"), 417) for value in values)

    def test_max_forwards_and_the_asterisk_end_here(self):
        self.proxy()
        data = head(b"Max-Forwards: 0", line=b"OPTIONS /x HTTP/1.1") + head(b"Max-Forwards: 0", line=b"TRACE /x HTTP/1.1")
        data += head(line=b"OPTIONS * HTTP/1.1") + head(b"Max-Forwards: 5", line=b"OPTIONS /y HTTP/1.1")

        got, seen = self.taken(data + head(b"Max-Forwards: 0", line=b"GET /z HTTP/1.1"))

        self.assertEqual(got, [200, 405, 200, 200, 200, 200])
        self.assertEqual([(each.path, each.header("max-forwards")) for each in seen], [("/y", "4"), ("/z", "0")])

    def test_a_query_says_what_it_is(self):
        self.proxy()
        line = b"QUERY /q HTTP/1.1"

        self.refused([("QUERY", head(b"Content-Length: 1", line=line) + b"x", 400)])
        got, seen = self.taken(head(b"Content-Length: 1", b"Content-Type: a/b", line=line) + b"y")

        self.assertEqual(got, [200, 200])
        self.assertEqual([(each.method, each.path, each.body) for each in seen], [("QUERY", "/q", b"y")])
        peer = frames.Client(self.port)
        peer.send(frames.headers(1, frames.requestFields(method="QUERY")))
        self.assertEqual(peer.outcome(1).status, 400)


class PathTest(StrictCase):
    """B3: no spelling of a path gets past a rule that its upstream would see another path for."""

    ROUTES = [{"match": {"prefix": "/admin"}, "direct_response": {"status": 403}}, route("up")]

    def strict(self, **hcm):
        return self.proxy(routes=self.ROUTES, path_with_escaped_slashes_action="REJECT_REQUEST", merge_slashes=True, **hcm)

    def test_rules_and_upstreams_see_the_same_path(self):
        self.proxy(routes=self.ROUTES)
        denied = ["/public/../admin", "/public/%2e%2e/admin", "/public/.%2e/admin", "/public/%2E./admin", "/./admin", "/%61dmin",
                  "/public/..;x=1/admin", "/public/..;/admin", "/.;x/admin", "/public\\..\\admin", "/admin;x", "/admin/",
                  "/admin?x", "/public/./../admin", "/a/b/../../admin"]  # fmt: skip
        refused = ["/..", "/../admin", "/a/../../admin", "/%00", "/admin%00", "/a%", "/a%4", "/a%zz", "/%2e%2e/admin", "/..;/admin"]
        same = {"/a/../b": "/b", "/a%7Eb": "/a~b", "/%252e%252e/admin": "/%252e%252e/admin", "/%c3%a9": "/%c3%a9", "/%c0%ae/": "/%c0%ae/",
                "/a%2fb": "/a%2fb", "/a//b": "/a//b", "/a?b=/../c": "/a?b=/../c", "/a/.": "/a/", "/a/..": "/"}  # fmt: skip

        for path in denied:
            with self.subTest(path):
                self.assertEqual(get(self.port, path).status, 403)
        for path in refused:
            with self.subTest(path):
                self.assertEqual(get(self.port, path).status, 400)
        for path, sent in same.items():
            with self.subTest(path):
                self.assertEqual((get(self.port, path).status, self.upstream.next().path), (200, sent))

    def test_escaped_slashes_by_policy(self):
        wanted = {"KEEP_UNCHANGED": (200, "/a%2fb%5Cc"), "REJECT_REQUEST": (400, None), "UNESCAPE_AND_FORWARD": (200, "/a/b/c"),
                  "UNESCAPE_AND_REDIRECT": (307, None)}  # fmt: skip
        for action, (status, path) in wanted.items():
            with self.subTest(action):
                self.proxy(path_with_escaped_slashes_action=action)
                self.assertEqual(get(self.port, "/a%2fb%5Cc").status, status)
                if path:
                    self.assertEqual(self.upstream.next().path, path)

    def test_rewrites_open_no_path(self):
        regex = {"pattern": {"regex": "^/re(.*)$"}, "substitution": "/\\1"}
        self.proxy(routes=[route("up", prefix="/api", prefix_rewrite="/"), route("up", prefix="/re", regex_rewrite=regex)])

        for path in ("/api../admin", "/api./x", "/api..", "/api..;x/admin", "/api..%3bx/admin", "/api%2e%2e/admin", "/re../admin"):
            with self.subTest(path):
                self.assertEqual(get(self.port, path).status, 400)
        self.assertEqual((get(self.port, "/api..x/y").status, self.upstream.next().path), (200, "/..x/y"))

    def test_no_spelling_gets_past_a_rule(self):
        self.strict()
        pieces = ["/", "//", "/.", "/..", "/%2e", "/%2e%2e", "/;a=b", "/.;c", "/..;d", "\\", "/%2f", "/%5c", "/pub", "/%61dmin", "/admin",
                  "/ADMIN", "/%2561dmin", "/..%3bd", "/%3be"]  # fmt: skip
        paths = ["".join(parts) for count in (1, 2, 3) for parts in itertools.product(pieces, repeat=count)]
        paths = [path for path in paths if path.startswith("/") and "admin" in path]
        source = None
        for at in range(0, len(paths), 100):
            batch = paths[at : at + 100]
            with client.rawConnection(self.port) as sock:
                sock.sendall(b"".join(head(line=b"GET %s HTTP/1.1" % path.encode()) for path in batch))
                source = client.reader(sock)
                for path in batch:
                    status = client.readResponse(source).status
                    self.assertIn(status, (200, 400, 403), path)

        self.assertGreater(self.upstream.requests.qsize(), 10)
        while not self.upstream.requests.empty():
            path = self.upstream.requests.get().path
            for model in (tomcat, jetty, nginx, python):
                self.assertFalse(model(path).startswith("/admin"), f"{path} is {model(path)} to {model.__name__}")


def resolved(path):
    out = []
    for part in [part for part in path.split("/") if part not in ("", ".")]:
        if part == "..":
            out = out[:-1]
        else:
            out.append(part)
    return "/" + "/".join(out)


def decoded(path):
    return urllib.parse.unquote(path.split("?")[0])


def tomcat(path):
    """Takes parameters off each segment, then decodes, then resolves."""
    return resolved(decoded("/".join(part.split(";")[0] for part in path.split("?")[0].split("/"))).replace("\\", "/"))


def jetty(path):
    """Decodes, then takes parameters off each segment, then resolves."""
    return resolved("/".join(part.split(";")[0] for part in decoded(path).split("/")))


def nginx(path):
    return resolved(decoded(path))


def python(path):
    return resolved(path.split("?")[0])


class TrustTest(StrictCase):
    """B4."""

    def test_what_only_proxies_may_say_is_not_taken_from_clients(self):
        self.proxy(use_remote_address=True)
        names = [b"x-envoy-internal", b"x-envoy-original-path", b"x-envoy-external-address", b"x-envoy-decorator-operation",
                 b"x-envoy-expected-rq-timeout-ms", b"x-envoy-attempt-count", b"x-envoy-anything", b"x-forwarded-client-cert",
                 b"forwarded", b"x-real-ip", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-uri",
                 b"x-forwarded-server", b"x-forwarded-scheme", b"x-forwarded-ssl", b"x-forwarded-anything"]  # fmt: skip

        got, seen = self.taken(head(*[name + b": forged" for name in names], b"x-forwarded-proto: https", b"x-forwarded-for: 6.6.6.6"))

        self.assertEqual(got, [200, 200])
        self.assertEqual([name for name, value in seen[0].headers if value == "forged"], [])
        self.assertEqual(seen[0].header("x-forwarded-proto"), "http")
        self.assertEqual(seen[0].header("x-forwarded-for"), "6.6.6.6,127.0.0.1")

    def test_names_with_underscores_are_dropped_by_default(self):
        self.proxy()

        got, seen = self.taken(head(b"X_User: admin", b"X-User: me", b"Content_Length: 7", b"x.user: dot"))

        self.assertEqual((got, seen[0].header("x-user"), seen[0].header("x_user")), ([200, 200], "me", None))
        self.assertIsNone(seen[0].header("content_length"))

    def test_all_values_of_a_repeated_field_are_matched(self):
        match = {"prefix": "/", "headers": [{"name": "role", "string_match": {"exact": "admin"}}]}
        self.proxy(routes=[{"match": match, "direct_response": {"status": 403}}, route("up")])

        for order in ((b"role: a", b"role: admin"), (b"role: admin", b"role: a"), (b"role: a", b"Role: admin", b"role: b")):
            self.assertEqual(self.taken(head(*order))[0], [403, 200])

    def test_bytes_of_other_alphabets_do_not_hide_a_value(self):
        match = {"prefix": "/", "headers": [{"name": "role", "string_match": {"safe_regex": {"regex": ".*admin.*"}}}]}
        self.proxy(routes=[{"match": match, "direct_response": {"status": 403}}, route("up")])

        for value in (b"admin\xff", b"\x80admin", b"\xc3(admin", b"\xf0\x9f\x98\x80admin"):
            self.assertEqual(self.taken(head(b"role: " + value))[0], [403, 200])

    def test_headers_of_other_hops_do_not_take_ours_away(self):
        self.proxy(use_remote_address=True)

        got, seen = self.taken(head(b"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id, Host"))

        self.assertEqual(got, [200, 200])
        self.assertEqual([seen[0].header(name) for name in ("x-forwarded-for", "x-forwarded-proto", "host")],
                         ["127.0.0.1", "http", "a.example"])  # fmt: skip
        self.assertIsNotNone(seen[0].header("x-request-id"))

    def test_a_refusal_shows_nothing_of_the_request(self):
        self.proxy(routes=[directResponse(403, "no")])
        secrets = (b"Authorization: Bearer secret", b"Cookie: a=secret")

        for data in (head(*secrets), head(*secrets, b"bad name: x"), head(*secrets, line=b"TRACE / HTTP/1.1")):
            self.assertNotIn(b"secret", exchange(self.port, data + head(b"Connection: close")))


class ReportOnlyTest(StrictCase):
    """--report-only: what is let through is counted and told, and nothing else is let through."""

    def breaches(self):
        return {
            "host_conflict": head(line=b"GET http://b.example/ HTTP/1.1"),
            "underscore_names": head(b"Some_Name: 1"),
            "unknown_expectation": head(b"Expect: x"),
        }

    def counted(self):
        return {name.rsplit(".", 1)[1]: value for name, value in self.sluice.stats("http.http.strict.").items()}

    def test_all_rules_are_counted_and_told(self):
        self.proxy(args=["--report-only=all"])

        for rule, data in self.breaches().items():
            with self.subTest(rule):
                got, seen = self.taken(data)
                self.assertEqual((got, len(seen)), ([200, 200], 1))
                self.assertEqual(self.counted()[rule], 1)
                self.assertIn(f"http.http.strict.{rule}: let through", self.sluice.log())
        self.assertEqual(statuses(exchange(self.port, head(line=b"CONNECT a.example HTTP/1.1", host=b"Host: a.example"))), [403])
        self.assertEqual(self.counted()["connect_port"], 1)
        peer = frames.Client(self.port)
        peer.send(frames.headers(1, frames.requestFields() + [("a", " b ")]))
        self.assertEqual(peer.outcome(1).status, 200)
        self.assertEqual((self.upstream.next().header("a"), self.counted()["value_edge_space"]), ("b", 1))

    def test_what_was_let_through_has_one_meaning(self):
        self.proxy(args=["--report-only", "host_conflict,underscore_names,unknown_expectation"])

        _, (conflict,) = self.taken(self.breaches()["host_conflict"])
        _, (named,) = self.taken(head(b"Some_Name: 1", b"X_User: 2", b"Content_Length: 3", b"X_Forwarded_For: 4"))

        self.assertEqual(conflict.header("host"), "b.example")
        names = ("some_name", "x_user", "content_length", "x_forwarded_for")
        self.assertEqual([named.header(name) for name in names], ["1", None, None, None])

    def test_only_the_rules_that_are_listed(self):
        self.proxy(args=["--report-only=unknown_expectation"])

        self.assertIn("let through and counted (--report-only): unknown_expectation\n", self.sluice.log())
        self.refused([("host", self.breaches()["host_conflict"], 400)])
        _, (named,) = self.taken(self.breaches()["underscore_names"])
        self.assertIsNone(named.header("some_name"))
        self.assertEqual(self.counted(), {"unknown_expectation": 0})

    def test_never_what_frames_or_ends_lines(self):
        self.proxy(args=["--report-only=all"])
        self.refused([
            ("both framings", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
            ("two lengths", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), 400),
            ("NUL", head(b"A: b\0"), 400),
            ("bare LF", head(b"A: b\nC: d"), 400),
            ("bare CR", head(b"A: b\rc"), 400),
            ("obs-fold", head(b"A: b", b" c"), 400),
        ])  # fmt: skip
        self.assertEqual(get(self.port, "/../a").status, 400)

    def test_unknown_rules_are_refused_with_the_list(self):
        for rules in ("framing", "host_conflict,nul", ""):
            with self.subTest(rules):
                process = self.start(Sluice(self.scratch, bootstrap([], []), args=[f"--report-only={rules}"], wait=False))
                self.assertEqual(process.waitForExit(), 2)
                self.assertIn("connect_port, host_conflict, underscore_names, unknown_expectation, value_edge_space", process.log())


if __name__ == "__main__":
    unittest.main()
