"""Hosts that break the rules of HTTP/1 and HTTP/2: what their clients get, and that the next client gets nothing of it."""
import os
import struct
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, frames  # noqa: E402
from harness.strict import StrictCase, head, statuses  # noqa: E402


class HostileUpstreamTest(StrictCase):
    """Of the side of hosts: S13, S15, S16, and odd answers."""

    def raw(self, answer, **more):
        """An upstream that gives `answer` for its first request, and an honest one to those after it on any connection."""

        def script(sock, number):
            source = client.reader(sock)
            while True:
                line = source.line()
                while source.line():
                    pass
                path = line.split(" ")[1]
                if path == "/bad":
                    sock.sendall(answer)
                    if answer.endswith(b"!close"):
                        return
                else:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path.encode()))

        return self.proxy(upstream=RawUpstream(script), **more)

    def after(self, method="GET"):
        """The answer to /bad, which the client reads by the rules, and to a request of another client behind it."""
        with client.rawConnection(self.port) as sock:
            sock.sendall(head(line=b"%s /bad HTTP/1.1" % method.encode()))
            source = client.reader(sock)
            answers = [client.readResponse(source, method)]
            while answers[-1].status < 200:
                answers.append(client.readResponse(source, method))
        second = get(self.port, "/good")
        self.assertEqual((second.status, second.body), (200, b"/good"))
        return answers

    def check(self, cases, method="GET"):
        for name, answer, wanted in cases:
            with self.subTest(name):
                self.raw(answer)
                answers = self.after(method)
                self.assertEqual([each.status for each in answers], wanted)
                self.assertNotIn(b"smuggled", answers[-1].body)

    def test_answers_that_can_be_read_in_two_ways(self):
        ok = b"HTTP/1.1 200 OK\r\n"
        cases = [
            ("both framings", ok + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [502]),
            ("two lengths", ok + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", [502]),
            ("a list of lengths", ok + b"Content-Length: 1, 1\r\n\r\na", [502]),
            ("a negative length", ok + b"Content-Length: -1\r\n\r\n", [502]),
            ("an unknown coding", ok + b"Transfer-Encoding: gzip\r\n\r\n", [502]),
            ("a coding of HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [502]),
            ("a folded line", ok + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n", [502]),
            ("a bare LF", ok + b"A: b\nContent-Length: 0\r\n\r\n", [502]),
            ("a NUL", ok + b"A: b\0\r\nContent-Length: 0\r\n\r\n", [502]),
            ("a space before the colon", ok + b"A : b\r\nContent-Length: 0\r\n\r\n", [502]),
            ("an empty name", ok + b": b\r\nContent-Length: 0\r\n\r\n", [502]),
            ("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n", [502]),
            ("a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n", [502]),
            ("a status of 000", b"HTTP/1.1 000 OK\r\n\r\n", [502]),
            ("another version", b"HTTP/2.0 200 OK\r\n\r\n", [502]),
            ("no HTTP", b"hello\r\n\r\n", [502]),
            ("a flood of fields", ok + b"".join(b"A%d: b\r\n" % number for number in range(200)) + b"\r\n", [502]),
            ("a field without end", ok + b"A: " + b"b" * 200_000 + b"\r\n\r\n", [502]),
        ]
        self.check(cases)

    def test_bodies_that_may_not_be_and_bytes_behind_answers_reach_nobody(self):
        smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
        self.check([
            ("204 with a body", b"HTTP/1.1 204 No\r\nContent-Length: 8\r\n\r\nsmuggled", [204]),
            ("304 with a body", b"HTTP/1.1 304 No\r\nContent-Length: 8\r\n\r\nsmuggled", [304]),
            ("204 in chunks", b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nsmuggled\r\n0\r\n\r\n", [204]),
            ("two answers", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggled, [200]),
            ("bytes behind the end", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n", [200]),
            ("bytes behind the chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + smuggled, [200]),
        ])  # fmt: skip
        self.check([("HEAD with a body", b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled", [200])], method="HEAD")

    def test_chunks_that_are_none_cut_the_answer(self):
        chunked_head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
        for body in (b"0x1\r\na\r\n0\r\n\r\n", b"1\na\r\n0\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n", b"-1\r\n", b"f" * 17 + b"\r\n", b"1;\0\r\n", b"\r\n"):
            with self.subTest(body):
                self.raw(chunked_head + body)
                response = self.after()[-1]
                self.assertFalse(response.status == 200 and response.complete)

    def test_informational_answers(self):
        ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        self.check([
            ("hints", hints * 2 + ok, [103, 103, 200]),
            ("100 that nobody waits for", b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + ok, [200]),
            ("102", b"HTTP/1.1 102 Processing\r\n\r\n" + ok, [102, 200]),
            ("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + ok, [502]),
            ("an unknown one", b"HTTP/1.1 199 What\r\nContent-Length: 5\r\n\r\n" + ok, [199, 200]),
        ])  # fmt: skip
        self.raw(hints * 10_000)
        answers = self.after()
        self.assertEqual(answers[-1].status, 502)
        self.assertLess(len(answers), 100)

    def test_an_upgrade_that_is_not_accepted_is_no_tunnel_and_its_connection_is_not_shared(self):
        asking = head(b"Connection: upgrade", b"Upgrade: websocket", line=b"GET /bad HTTP/1.1")
        smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
        upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"
        for line in (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 426 No\r\n", b"HTTP/1.1 204 No\r\n"):
            with self.subTest(line):
                self.raw(line + upgrade + smuggled, upgrade_configs=[{"upgrade_type": "websocket"}])
                answers = exchange(self.port, asking + head(b"Connection: close", line=b"GET /good HTTP/1.1"))
                self.assertEqual(statuses(answers), [int(line[9:12]), 200])
                self.assertTrue(answers.endswith(b"/good"), answers)

    def test_an_early_answer_ends_both_connections(self):
        """The rest of the request would be read as the next one."""

        def script(sock, number):
            client.reader(sock).line()
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
            while sock.recv(65536):
                pass

        self.proxy(upstream=RawUpstream(script))
        data = head(b"Content-Length: 1000", line=b"POST / HTTP/1.1") + b"GET /smuggled HTTP/1.1\r\n"

        answers = exchange(self.port, data)

        self.assertEqual(statuses(answers), [200])
        self.assertEqual(statuses(exchange(self.port, head(b"Connection: close"))), [200])
        self.assertEqual(self.upstream.connections, 2)


class HostileMultiplexedUpstreamTest(StrictCase):
    """Hosts of HTTP/2 that break its rules: the client gets a gateway error or sees that its answer was cut, and the next one
    is served."""

    OK = [(":status", "200")]

    def raw(self, bad):
        """A host whose first answer is `bad(stream)`."""
        answered = threading.Event()

        def answer(stream, number):
            if not answered.is_set():
                answered.set()
                return bad(stream)
            return frames.headers(stream, self.OK, False) + frames.data(stream, b"/good")

        upstream = RawUpstream(lambda sock, number: frames.serve(sock, answer))
        self.proxy(upstream=upstream, cluster_fields=HTTP2, routes=[route("up", timeout="3s")])

    def check(self, cases, statuses=(502, 503)):
        for name, bad in cases:
            with self.subTest(name):
                self.raw(bad)
                with client.rawConnection(self.port) as sock:
                    sock.sendall(head(b"Connection: close", line=b"GET /bad HTTP/1.1"))
                    source = client.reader(sock)
                    response = client.readResponse(source)
                    while response.status < 200:
                        response = client.readResponse(source)
                self.assertTrue(response.status in statuses or not response.complete, (response.status, response.body))
                self.assertEqual(get(self.port, "/good").body, b"/good")

    def heads(self, cases):
        self.check((name, lambda stream, fields=fields: frames.headers(stream, fields)) for name, fields in cases)

    def test_heads_that_are_none(self):
        ok = self.OK
        self.heads([
            ("no status", [("a", "b")]), ("two", ok + ok), ("late", [("a", "b")] + ok), ("unknown", ok + [(":path", "/")]),
            ("two digits", [(":status", "20")]), ("four digits", [(":status", "2000")]), ("a word", [(":status", "ok ")]),
            ("101", [(":status", "101")]), ("000", [(":status", "000")]), ("upper case", ok + [("A", "b")]), ("empty", ok + [("", "b")]),
            ("connection", ok + [("connection", "close")]), ("coding", ok + [("transfer-encoding", "chunked")]),
            ("upgrade", ok + [("upgrade", "x")]), ("CR LF", ok + [("a", "b\r\nc: d")]), ("NUL", ok + [("a", "b\0")]),
            ("space", ok + [("a b", "c")]), ("a flood", ok + [(f"a{number}", "b") for number in range(1000)]),
            ("two lengths", ok + [("content-length", "0")] * 2), ("no number", ok + [("content-length", "+0")]),
        ])  # fmt: skip

    def test_lengths_and_orders_that_do_not_fit(self):
        length = self.OK + [("content-length", "5")]
        self.check([
            ("no body", lambda id: frames.headers(id, length)),
            ("short", lambda id: frames.headers(id, length, False) + frames.data(id, b"1234")),
            ("long", lambda id: frames.headers(id, length, False) + frames.data(id, b"123456")),
            ("DATA first", lambda id: frames.data(id, b"12345")),
            ("trailers without end", lambda id: frames.headers(id, self.OK, False) + frames.headers(id, [("a", "b")], False)),
            ("trailers with a status", lambda id: frames.headers(id, self.OK, False) + frames.headers(id, self.OK)),
            ("1xx with the end", lambda id: frames.headers(id, [(":status", "103")])),
            ("1xx without end", lambda id: frames.headers(id, [(":status", "103")], False) * 20_000),
            ("a push", lambda id: frames.frame(frames.PUSH_PROMISE, id, struct.pack(">I", 2) + frames.block(frames.requestFields()), 4)),
            ("an even stream", lambda id: frames.headers(2, self.OK)),
            ("a stream that nobody opened", lambda id: frames.headers(99, self.OK)),
            ("no HPACK", lambda id: frames.frame(frames.HEADERS, id, b"\xff" * 8, 5)),
            ("nothing but HTTP/1", lambda id: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ])  # fmt: skip

    def test_frames_behind_the_end_of_an_answer_reach_nobody(self):
        for name, late in (("DATA", lambda id: frames.data(id, b"smuggled")), ("HEADERS", lambda id: frames.headers(id, self.OK)),
                           ("RST_STREAM", lambda id: frames.frame(frames.RST_STREAM, id, b"\0\0\0\0"))):  # fmt: skip
            with self.subTest(name):
                self.raw(lambda id, late=late: frames.headers(id, self.OK, False) + frames.data(id, b"ok") + late(id))
                first, second = get(self.port), get(self.port)
                self.assertEqual((first.status, first.body, first.complete), (200, b"ok", True))
                self.assertEqual(second.body, b"/good")


if __name__ == "__main__":
    unittest.main()
