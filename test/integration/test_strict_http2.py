"""Frames that a client of HTTP/2 may send, what it gets for them, and that no upstream has seen what was refused."""
import os
import struct
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import frames  # noqa: E402
from harness.strict import StrictCase  # noqa: E402


class MultiplexedTest(StrictCase):
    """B2, with frames by hand."""

    def streamRefused(self, cases):
        """Each (name, frames): the stream, or the connection, ends with an error, and no upstream sees anything."""
        for number, (name, sent) in enumerate(cases):
            with self.subTest(name):
                peer = frames.Client(self.port)
                peer.send(*sent)
                got = peer.outcome(1)
                peer.close()
                self.assertTrue(got.code not in (None, 0) or got.status in (400, 417, 431), (got.status, got.code))
                self.nothingReached(number)

    def fields(self, *more, **pseudo):
        return frames.requestFields(**pseudo) + list(more)

    def bad(self, name, fields, end=True):
        return (name, [frames.headers(1, fields, end)])

    def test_a_length_that_is_not_that_of_the_data(self):
        self.proxy()
        length = self.fields(("content-length", "5"), method="POST")
        self.streamRefused([
            ("T1 none", [frames.headers(1, length)]),
            ("T1 short", [frames.headers(1, length, False), frames.data(1, b"1234")]),
            ("T1 long", [frames.headers(1, length, False), frames.data(1, b"123456")]),
            ("T1 long in two", [frames.headers(1, length, False), frames.data(1, b"12345", False), frames.data(1, b"6")]),
            ("T1 short with trailers", [frames.headers(1, length, False), frames.data(1, b"1234", False), frames.headers(1, [("a", "b")])]),
            ("T1 zero", [frames.headers(1, self.fields(("content-length", "0"), method="POST"), False), frames.data(1, b"1")]),
            ("T1 two", [frames.headers(1, length + [("content-length", "5")], False), frames.data(1, b"12345")]),
        ] + [("T1 " + value, [frames.headers(1, self.fields(("content-length", value)))])
             for value in ("+0", "-0", "", "0x0", "0,0", str(2**64))])  # fmt: skip

    def test_names_and_values(self):
        self.proxy()
        names = ["A", "", "a b", "a:b", ":x", "a\r\nb", "a\0", "a\n", " a", "a ", "\xe9", "a\x7f"]
        values = ["b\r\nc: d", "b\0", "b\n", "b\r", "\x0b", " b", "b ", "\tb"]
        cases = [self.bad(f"T2 name {name!r}", self.fields((name, "b"))) for name in names]
        self.streamRefused(cases + [self.bad(f"T2 value {value!r}", self.fields(("a", value))) for value in values])

    def test_pseudo_headers(self):
        self.proxy()
        full = self.fields()
        cases = [self.bad(f"T2 no {pair[0]}", [each for each in full if each != pair]) for pair in full]
        cases += [self.bad(f"T2 two {pair[0]}", full + [pair]) for pair in full]
        cases += [self.bad(f"T2 late {pair[0]}", [each for each in full if each != pair] + [("a", "b"), pair]) for pair in full]
        cases += [self.bad("T2 unknown", full[:3] + [(":what", "x")] + full[3:]), self.bad("T2 status", [(":status", "200")] + full)]
        cases += [self.bad("T2 protocol", full + [(":protocol", "websocket")])]
        paths = ["", "a", "*", "/a b", "/a#b", "/a\t", "/\xe9", "http://a/", "/\0"]
        cases += [self.bad(f"T4 path {path!r}", self.fields(path=path)) for path in paths]
        cases += [self.bad(f"T4 scheme {scheme!r}", self.fields(scheme=scheme)) for scheme in ("", "ftp", "ht tp", "http ", "http:", "h\0ttp")]
        cases += [self.bad(f"S12 authority {each!r}", self.fields(authority=each)) for each in ("", "u@a", "a b", "a:99999", "a,b", "a/b")]
        cases += [self.bad(f"S11 method {method!r}", self.fields(method=method)) for method in ("", "GE T", "G\0T", "G:T")]
        cases += [self.bad("S12 host", self.fields(("host", "b.example"))), self.bad("S12 hosts", self.fields(("host", "test.example"), ("host", "test.example")))]
        trailers = [("late pseudo", [(":path", "/admin")]), ("upper case", [("A", "b")]), ("connection", [("connection", "close")])]
        body = frames.headers(1, self.fields(method="POST"), False)
        cases += [(f"T2 trailers {name}", [body, frames.data(1, b"x", False), frames.headers(1, fields)]) for name, fields in trailers]
        cases += [("T2 trailers without end", [body, frames.data(1, b"x", False), frames.headers(1, [("a", "b")], False)])]
        self.streamRefused(cases)

    def test_fields_of_a_connection(self):
        self.proxy()
        fields = [("connection", "close"), ("connection", "x"), ("keep-alive", "1"), ("proxy-connection", "close"), ("te", "gzip"),
                  ("te", "trailers, gzip"), ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("upgrade", "websocket")]  # fmt: skip
        self.streamRefused([self.bad(f"T3 {pair}", self.fields(pair)) for pair in fields])
        self.streamRefused([self.bad("an expectation", self.fields(("expect", "x")))])

    def test_forms_of_connect(self):
        self.proxy(upgrade_configs=[{"upgrade_type": "websocket"}], http2_protocol_options={"allow_connect": True})
        connect = {"method": "CONNECT"}
        self.streamRefused([
            self.bad("T6 with a path", self.fields(**connect, scheme=None), False),
            self.bad("T6 with a scheme", self.fields(**connect, path=None), False),
            self.bad("T6 without authority", [(":method", "CONNECT")], False),
            self.bad("T6 without port", self.fields(**connect, path=None, scheme=None), False),
            self.bad("T6 with a length", self.fields(("content-length", "5"), **connect, path=None, scheme=None), False),
            self.bad("T6 extended without path", self.fields(**connect, path=None) + [(":protocol", "websocket")], False),
            self.bad("T6 extended without scheme", self.fields(**connect, scheme=None) + [(":protocol", "websocket")], False),
            self.bad("T6 extended with an empty path", self.fields(**connect, path="") + [(":protocol", "websocket")], False),
            self.bad("T6 a protocol of GET", self.fields() + [(":protocol", "websocket")]),
        ])  # fmt: skip

    def test_a_connect_without_path_harms_no_filter(self):
        self.proxy(routes=[directResponse(200, "ok")])
        peer = frames.Client(self.port)
        peer.send(frames.headers(1, self.fields(method="CONNECT", path=None, scheme=None, authority="a.example:443"), False))

        self.assertIn(peer.outcome(1).status, (403, 404))

    def test_schemes_are_brought_into_one_form(self):
        self.proxy()
        for number, scheme in enumerate(("hTTp", "HTTPS", "http")):
            peer = frames.Client(self.port)
            peer.send(frames.headers(1, self.fields(path=f"/{number}", scheme=scheme)))
            self.assertEqual(peer.outcome(1).status, 200)
            self.assertEqual(self.upstream.next().path, f"/{number}")

    def test_crumbs_of_cookies_are_joined_and_count(self):
        self.proxy(common_http_protocol_options={"max_headers_count": 1010})
        peer = frames.Client(self.port)
        crumbs = [("cookie", f"a{number}=b") for number in range(1000)]
        peer.send(frames.headers(1, self.fields(*crumbs)))

        self.assertEqual(peer.outcome(1).status, 200)
        self.assertEqual(self.upstream.next().header("cookie"), "; ".join(value for _, value in crumbs))
        peer.send(frames.headers(3, self.fields(*crumbs, *crumbs[:20])))
        self.assertEqual(peer.outcome(3).status, 431)

    def test_frames_behind_the_end_of_a_stream(self):
        slow = threading.Event()
        self.addCleanup(slow.set)
        self.proxy(lambda request: (slow.wait(5) if request.path == "/slow" else None, Reply())[1])
        for late in (frames.data(1, b"x"), frames.headers(1, [("a", "b")])):
            peer = frames.Client(self.port)
            peer.send(frames.headers(1, self.fields(path="/slow")), late)
            self.assertEqual(peer.outcome(1).code, 5)  # STREAM_CLOSED
            peer.close()
        slow.set()

    def test_frames_that_may_not_come_end_the_connection(self):
        self.proxy()
        start = frames.headers(1, self.fields(method="POST"), False)
        sent = [
            ("DATA on no stream", [frames.data(0, b"x")]),
            ("DATA on an idle stream", [frames.data(1, b"x")]),
            ("an even stream", [frames.headers(2, self.fields())]),
            ("a stream that goes back", [frames.headers(3, self.fields()), frames.headers(1, self.fields())]),
            ("PUSH_PROMISE", [start, frames.frame(frames.PUSH_PROMISE, 1, struct.pack(">I", 2) + frames.block(self.fields()), 4)]),
            ("CONTINUATION without HEADERS", [frames.frame(frames.CONTINUATION, 1, b"", 4)]),
            ("DATA inside a block", [frames.frame(frames.HEADERS, 1, frames.block(self.fields()), 0), frames.data(1, b"x")]),
            ("a block that is no HPACK", [frames.frame(frames.HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff", 5)]),
            ("a window that overflows", [frames.frame(frames.WINDOW_UPDATE, 0, struct.pack(">I", 2**31 - 1)) * 2]),
            ("a window of nothing", [frames.frame(frames.WINDOW_UPDATE, 0, struct.pack(">I", 0))]),
            ("a PING of seven bytes", [frames.frame(frames.PING, 0, b"1234567")]),
            ("SETTINGS of a stream", [frames.frame(frames.SETTINGS, 1)]),
            ("SETTINGS of five bytes", [frames.frame(frames.SETTINGS, 0, b"12345")]),
            ("RST_STREAM of an idle stream", [frames.frame(frames.RST_STREAM, 1, struct.pack(">I", 8))]),
            ("a frame too large", [start, frames.data(1, b"x" * 20_000)]),
            ("padding longer than its frame", [start, frames.frame(frames.DATA, 1, b"\xff" + b"x" * 10, 8)]),
        ]
        for number, (name, each) in enumerate(sent):
            with self.subTest(name):
                peer = frames.Client(self.port)
                peer.send(*each)
                self.assertTrue(peer.outcome(99).connection_over)
                peer.close()
                self.assertIn(get(self.port, f"/after/{number}").status, (200,))

    def test_floods_end_the_connection_of_who_sends_them(self):
        self.proxy()
        start = frames.headers(1, self.fields(method="POST"), False)
        reset = struct.pack(">I", 8)
        resets = b"".join(frames.headers(id, self.fields()) + frames.frame(frames.RST_STREAM, id, reset) for id in range(1, 6001, 2))
        broken = b"".join(frames.headers(id, self.fields(("A", "b"))) for id in range(1, 6001, 2))
        flood = [
            ("D1 rapid reset", [resets]),
            ("D1 made to reset", [broken]),
            ("D2 CONTINUATION", [frames.frame(frames.HEADERS, 1, frames.block(self.fields()), 1)] + [frames.frame(frames.CONTINUATION, 1, frames.block([("a", "b" * 1000)]))] * 1000),
            ("D4 PING", [frames.frame(frames.PING, 0, b"12345678") * 20_000]),
            ("D4 SETTINGS", [frames.frame(frames.SETTINGS) * 20_000]),
            ("D4 PRIORITY", [frames.frame(frames.PRIORITY, 1, b"\0\0\0\0\0") * 20_000]),
            ("D4 empty DATA", [start, frames.data(1, b"", False) * 20_000]),
            ("D4 WINDOW_UPDATE", [start, frames.frame(frames.WINDOW_UPDATE, 1, struct.pack(">I", 1)) * 20_000]),
        ]  # fmt: skip
        for name, each in flood:
            with self.subTest(name):
                peer = frames.Client(self.port)
                peer.send(*each)
                self.assertTrue(peer.outcome(99_999).connection_over)
                peer.close()
                self.assertEqual(get(self.port).status, 200)


if __name__ == "__main__":
    unittest.main()
