"""Slow and silent peers: each phase of a connection has an end, and one client has a bounded part in what is in progress."""
import os
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, frames  # noqa: E402
from harness.config import TYPE, upstreamTls  # noqa: E402
from harness.pki import Authority  # noqa: E402
from harness.strict import StrictCase, chunked, head, post, statuses  # noqa: E402


class SlowPeerTest(StrictCase):
    """B6, D5, D7: a deadline in every phase of a connection, and a bound on what one client may have in progress."""

    def cut(self, sent, wanted, **hcm):
        self.proxy(**hcm)
        with client.rawConnection(self.port) as sock:
            sock.sendall(sent)
            answers = b""
            while piece := sock.recv(65536):
                answers += piece
        self.assertEqual(statuses(answers), wanted)

    def test_silence_before_the_first_byte(self):
        self.cut(b"", [], common_http_protocol_options={"idle_timeout": "0.2s"})

    def test_silence_inside_what_may_be_the_preface(self):
        self.cut(b"PRI * HT", [408], request_headers_timeout="0.2s")

    def test_silence_inside_a_head(self):
        self.cut(head()[:-3], [408], request_headers_timeout="0.2s")

    def test_silence_inside_a_second_head(self):
        self.cut(head() + head()[:-3], [200, 408], request_headers_timeout="0.2s")

    def test_silence_between_requests(self):
        self.cut(head(), [200], common_http_protocol_options={"idle_timeout": "0.2s"})

    def test_silence_inside_a_body(self):
        self.cut(post(b"Content-Length: 5", body=b"ab"), [408], stream_idle_timeout="0.2s")

    def test_silence_inside_a_chunk(self):
        self.cut(chunked(b"5\r\nab"), [408], stream_idle_timeout="0.2s")

    def test_silence_inside_trailers(self):
        self.cut(chunked(b"1\r\na\r\n0\r\nx: "), [408], stream_idle_timeout="0.2s")

    def test_a_head_that_comes_byte_by_byte_has_as_long_as_one_that_does_not_come(self):
        self.proxy(request_headers_timeout="0.4s")
        answers = b""
        with client.rawConnection(self.port) as sock:
            sock.settimeout(0.05)
            for byte in head(b"a: " + b"b" * 1000):
                try:
                    sock.send(bytes((byte,)))
                    piece = sock.recv(65536)
                    answers += piece
                    if not piece:
                        break
                except TimeoutError:
                    pass
                except ConnectionError:
                    break
        self.assertEqual(statuses(answers), [408])

    def test_silence_inside_a_block_of_http2(self):
        done = threading.Event()
        self.addCleanup(done.set)
        self.proxy(lambda request: (request.path == "/slow" and done.wait(20), Reply())[1], request_headers_timeout="0.3s")
        for beside in (False, True):
            with self.subTest(beside=beside):
                peer = frames.Client(self.port)
                peer.send(frames.headers(1, frames.requestFields()))
                self.assertEqual(peer.outcome(1).status, 200)
                if beside:
                    peer.send(frames.headers(3, frames.requestFields(path="/slow")))
                    waitFor(lambda: self.sluice.stat("http.http.downstream_rq_active") == 1, "the request to be there")
                peer.send(frames.frame(frames.HEADERS, 5, frames.block(frames.requestFields()), frames.END_STREAM))
                self.assertTrue(peer.outcome(5).connection_over)
                peer.close()
        self.assertEqual(self.sluice.stat("http.http.downstream_rq_header_timeout"), 2)

    def test_a_client_that_does_not_read_its_answer(self):
        self.proxy(lambda request: Reply(200, b"x" * 20_000_000), stream_idle_timeout="0.5s")
        with client.rawConnection(self.port) as sock:
            sock.sendall(head())
            waitFor(lambda: self.sluice.stat("http.http.downstream_rq_idle_timeout") == 1, "the stream to be cut")
            waitFor(lambda: self.sluice.stat("http.http.downstream_cx_active") == 0, "the connection to be gone", 30)

    def test_a_client_of_http2_that_opens_no_window(self):
        self.proxy(lambda request: Reply(200, b"x" * 1_000_000), stream_idle_timeout="0.5s")
        peer = frames.Client(self.port)
        peer.send(frames.frame(frames.SETTINGS, 0, struct.pack(">HI", 4, 0)))
        peer.send(*[frames.headers(id, frames.requestFields()) for id in range(1, 100, 2)])
        waitFor(lambda: self.sluice.stat("http.http.downstream_rq_idle_timeout") == 50, "the streams to be cut")

    def test_a_pipeline_that_nobody_reads_is_not_worked_off(self):
        self.proxy(lambda request: Reply(200, b"x" * 65536))
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", self.port))
            sock.setblocking(False)
            try:
                for _ in range(2000):
                    sock.send(head())
            except BlockingIOError:
                pass
            seen = -1
            while seen != self.upstream.requests.qsize():
                seen = self.upstream.requests.qsize()
                time.sleep(0.3)
        self.assertLess(seen, 300)

    def test_silence_inside_a_body_of_http2(self):
        self.proxy(stream_idle_timeout="0.3s")
        peer = frames.Client(self.port)
        peer.send(frames.headers(1, frames.requestFields(method="POST"), False), frames.data(1, b"ab", False))

        self.assertEqual(peer.outcome(1).status, 408)
        peer.send(frames.headers(3, frames.requestFields()))
        self.assertEqual(peer.outcome(3).status, 200)

    def test_silence_inside_a_tunnel(self):
        accept = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

        def script(sock, number):
            sock.recv(65536)
            sock.sendall(accept)
            while sock.recv(65536):
                pass

        self.proxy(upstream=RawUpstream(script), upgrade_configs=[{"upgrade_type": "websocket"}], stream_idle_timeout="0.3s")
        with client.rawConnection(self.port) as sock:
            sock.sendall(head(b"Connection: upgrade", b"Upgrade: websocket"))
            self.assertEqual(client.readResponse(sock).status, 101)
            try:
                self.assertEqual(sock.recv(65536), b"")
            except ConnectionResetError:
                pass
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_cx_active") == 0, "the host's connection to be gone")

    def test_who_was_refused_may_not_send_on_for_ever(self):
        self.proxy(delayed_close_timeout="0.3s")
        with client.rawConnection(self.port) as sock:
            sock.sendall(b"GET / HTTP/9.9\r\n\r\n")
            with self.assertRaises(ConnectionError):
                for _ in range(1000):
                    sock.sendall(b"x" * 1000)
                    time.sleep(0.01)
        self.assertEqual(self.sluice.stat("http.http.downstream_cx_active"), 0)

    def test_a_silent_handshake_of_either_side(self):
        ca = Authority(self.scratch.join("pki"))
        kind = TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        common = {"tls_certificates": [ca.issue("server", "DNS:a.example")]}
        listener = httpListener("tls", [route("up")])
        listener["filter_chains"][0].update(
            transport_socket={"name": "tls", "typed_config": {"@type": kind, "common_tls_context": common}},
            transport_socket_connect_timeout="0.3s",
        )
        upstream = self.start(RawUpstream(lambda sock, number: sock.recv(1_000_000) and sock.recv(1)))
        hosts = cluster("up", upstream.port, connect_timeout="0.3s", transport_socket=upstreamTls())
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener, httpListener("http", [route("up")])], [hosts])))

        with client.rawConnection(self.sluice.port("tls")) as sock:
            self.assertEqual(sock.recv(100), b"")
        self.assertEqual(get(self.sluice.port("http")).status, 503)
        self.assertEqual(self.sluice.stat("cluster.up.upstream_cx_connect_timeout"), 1)

    def test_a_silent_host(self):
        done = threading.Event()
        self.addCleanup(done.set)

        def script(sock, number):
            source = client.reader(sock)
            line = source.line()
            if "/body" in line:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
            elif "/head" in line:
                sock.sendall(b"HTTP/1.1 200 OK\r\nA")
            done.wait(20)

        self.proxy(upstream=RawUpstream(script), routes=[route("up", timeout="0.3s")])
        self.assertEqual(get(self.port, "/nothing").status, 504)
        self.assertEqual(get(self.port, "/head").status, 504)
        self.assertFalse(get(self.port, "/body").complete)


if __name__ == "__main__":
    unittest.main()
