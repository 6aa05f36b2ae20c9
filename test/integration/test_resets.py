"""Peers that reset, in every state of a connection: nothing of them stays, and what they cut short does not look whole."""
import os
import resource
import socket
import ssl
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, socketAddress  # noqa: E402
from harness.pki import Authority  # noqa: E402

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
CLIENTS = 200
GET = b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def reset(sock):
    """What is not sent yet is dropped, and the peer sees RST instead of FIN."""
    if isinstance(sock, ssl.SSLSocket):
        sock = socket.socket(fileno=sock.detach())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def end(sock):
    """How the peer ended: the bytes before it, and whether it was a reset."""
    data = bytearray()
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return bytes(data), False
            data += piece
    except ConnectionResetError:
        return bytes(data), True


def silent(sock, _number):
    while sock.recv(65536):
        pass


def endless(sock, _number):
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        sock.sendall(b"x" * 65536)


class ResetTestCase(SluiceTestCase):
    def serve(self, script=silent, tls=False, listener_filters=(), args=(), host_idle="1s", **more):
        self.upstream = self.start(RawUpstream(script))
        listener = httpListener(
            "http", [route("up", timeout="30s")], upgrade_configs=[{"upgrade_type": "websocket"}], **more
        )
        tcp = {
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "tcp",
                "cluster": "up",
            },
        }
        listeners = [listener, {"name": "tcp", "address": socketAddress(0), "filter_chains": [{"filters": [tcp]}]}]
        for each in listeners:
            if listener_filters:
                each["listener_filters"] = list(listener_filters)
            if tls:
                each["filter_chains"][0]["transport_socket"] = self.transportSocket()
        options = {"@type": TYPE + HTTP_OPTIONS, "explicit_http_config": {"http_protocol_options": {}}}
        options["common_http_protocol_options"] = {"idle_timeout": host_idle}
        hosts = cluster("up", self.upstream.port, typed_extension_protocol_options={HTTP_OPTIONS: options})
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [hosts]), args=args))

    def transportSocket(self):
        self.ca = Authority(self.scratch.join("pki"))
        kind = TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        certificate = self.ca.issue("server", "DNS:a.example")
        return {
            "name": "tls",
            "typed_config": {"@type": kind, "common_tls_context": {"tls_certificates": [certificate]}},
        }

    def connect(self, listener="http", tls=False, receive=None):
        sock = socket.socket()
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", self.sluice.port(listener) if isinstance(listener, str) else listener))
        if tls:
            context = ssl.create_default_context(cafile=self.ca.cert("ca"))
            sock = context.wrap_socket(sock, server_hostname="a.example")
        self.addCleanup(sock.close)
        return sock

    def active(self):
        names = ("http.http.downstream_cx_active", "http.http.downstream_rq_active", "cluster.up.upstream_rq_active",
                 "cluster.up.upstream_cx_active", "listener.downstream_pre_cx_active")  # fmt: skip
        stats = self.sluice.stats()
        return {
            name: value for name, value in stats.items() if value and (name in names or "pre_cx_active" in name)
        }

    def nothingStays(self, within=5.0):
        try:
            waitFor(lambda: not self.active(), "nothing to be active", within)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.active()}") from None

    def burst(self, data, listener="http", clients=CLIENTS):
        """Each sends and resets at once, so that the proxy sees both together."""
        port = self.sluice.port(listener)
        for _ in range(clients):
            sock = socket.create_connection(("127.0.0.1", port))
            if data:
                sock.sendall(data)
            reset(sock)


class ClientResetTest(ResetTestCase):
    def test_before_a_codec_is_chosen_and_inside_a_head(self):
        self.serve()
        for data in (b"", b"PRI * HT", b"GET / HTTP/1.1\r\nhost", HTTP2_PREFACE):
            with self.subTest(data=data):
                self.burst(data)
                self.nothingStays()
        self.assertGreaterEqual(self.sluice.stat("http.http.downstream_cx_total"), 3 * CLIENTS)

    def test_with_a_whole_request_in_flight(self):
        self.serve()
        self.burst(GET)
        self.nothingStays()

    def test_inside_the_body_of_a_request(self):
        self.serve()
        self.burst(b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 100000\r\n\r\nsome")
        self.nothingStays()

    def test_with_bytes_behind_the_request_in_flight(self):
        self.serve()
        for last in (reset, socket.socket.close):
            socks = [self.connect() for _ in range(20)]
            for sock in socks:
                sock.sendall(GET)
            waitFor(lambda: self.sluice.stat("http.http.downstream_rq_active") == 20, "the requests")
            for sock in socks:
                sock.sendall(b"G")
            time.sleep(0.2)
            for sock in socks:
                last(sock)
            self.nothingStays()

    def test_while_an_answer_is_written_to_it_that_it_does_not_read(self):
        self.serve(script=endless)
        for last in (reset, socket.socket.close):
            socks = [self.connect(receive=4096) for _ in range(10)]
            for sock in socks:
                sock.sendall(GET + b"G")
            waitFor(lambda: self.sluice.stat("http.http.downstream_rq_active") == 10, "the requests")
            time.sleep(0.3)
            for sock in socks:
                last(sock)
            self.nothingStays()

    def test_in_the_listener_filters(self):
        kind = TYPE + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
        inspector = {"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": kind}}
        self.serve(listener_filters=[inspector])
        for data in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
            with self.subTest(data=data):
                self.burst(data)
                self.nothingStays()


class TlsClientResetTest(ResetTestCase):
    def test_inside_the_handshake(self):
        self.serve(tls=True)
        for data in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
            self.burst(data)
        self.nothingStays()

    def test_with_a_whole_request_in_flight(self):
        self.serve(tls=True)
        for last in (reset, lambda sock: sock.close()):
            socks = [self.connect(tls=True) for _ in range(50)]
            for sock in socks:
                sock.sendall(GET)
            waitFor(lambda: self.sluice.stat("http.http.downstream_rq_active") == 50, "the requests")
            for sock in socks:
                last(sock)
            self.nothingStays()

    def test_while_an_answer_is_written_to_it_that_it_does_not_read(self):
        self.serve(script=endless, tls=True)
        for last in (reset, lambda sock: sock.close()):
            socks = [self.connect(tls=True, receive=4096) for _ in range(10)]
            for sock in socks:
                sock.sendall(GET)
            waitFor(lambda: self.sluice.stat("http.http.downstream_rq_active") == 10, "the requests")
            time.sleep(0.3)
            for sock in socks:
                last(sock)
            self.nothingStays()

    def test_through_tcp_proxy(self):
        self.serve(tls=True)
        socks = [self.connect("tcp", tls=True) for _ in range(50)]
        for sock in socks:
            sock.sendall(b"some")
        for sock in socks:
            reset(sock)
        self.nothingStays()


class UpstreamResetTest(ResetTestCase):
    def test_inside_a_body_ends_its_clients_at_once(self):
        def script(sock, _number):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 3000)
            reset(sock)

        self.serve(script=script)
        began = time.monotonic()
        socks = [self.connect() for _ in range(100)]
        for sock in socks:
            sock.sendall(GET)
        for sock in socks:
            data, _ = end(sock)
            self.assertIn(data.partition(b"\r\n\r\n")[0].split(b" ")[1], (b"200", b"503"))
            self.assertLess(len(data), 100000)
        self.assertLess(time.monotonic() - began, 8)
        self.nothingStays()

    def test_behind_a_whole_answer_loses_none_of_it(self):
        body = b"y" * 30000

        def script(sock, _number):
            sock.recv(10)  # the rest stays unread, so that the close is a reset
            sock.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.05)

        self.serve(script=script)
        for _ in range(20):
            sock = self.connect()
            sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            self.assertTrue(end(sock)[0].endswith(body))
        self.nothingStays()

    def test_of_an_idle_connection(self):
        idle = []

        def script(sock, _number):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            idle.append(sock)
            threading.Event().wait(20)

        self.serve(script=script, host_idle="60s")
        self.assertEqual(get(self.sluice.port("http")).body, b"ok")
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_cx_active") == 1, "the connection to be kept")

        reset(idle[0].dup())
        idle[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        idle[0].close()

        self.nothingStays()


class PassedOnTest(ResetTestCase):
    """A reset is passed on as one, behind the bytes in front of it; an end stays an end."""

    def hears(self, heard):
        def script(sock, _number):
            heard.append(end(sock))

        return script

    def test_from_the_client_through_tcp_proxy(self):
        heard = []
        self.serve(script=self.hears(heard))
        big = b"z" * 500_000
        for number, last in enumerate((reset, socket.socket.close), 1):
            sock = self.connect("tcp")
            sock.sendall(big)
            sent = number * len(big)
            waitFor(lambda sent=sent: self.sluice.stat("cluster.up.upstream_cx_tx_bytes_total") == sent, "the bytes")
            time.sleep(0.2)
            last(sock)
        waitFor(lambda: len(heard) == 2, "the upstream to hear the ends")
        self.assertEqual([(len(data), broken) for data, broken in heard], [(len(big), True), (len(big), False)])
        self.nothingStays()

    def test_many_clients_through_tcp_proxy(self):
        heard = []
        self.serve(script=self.hears(heard))
        self.burst(b"some bytes", "tcp")
        self.nothingStays()
        self.assertTrue(all(broken for _, broken in heard))

    def test_from_the_upstream_through_tcp_proxy(self):
        def script(sock, _number):
            sock.recv(100)
            sock.sendall(b"w" * 500_000)
            time.sleep(0.5)
            reset(sock)

        self.serve(script=script)
        sock = self.connect("tcp")
        sock.sendall(b"go")
        data, broken = end(sock)
        self.assertEqual((len(data), broken), (500_000, True))
        self.nothingStays()

    def test_an_upstream_that_resets_behind_its_end_did_end(self):
        def script(sock, _number):
            sock.recv(100)
            sock.sendall(b"all")
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
            reset(sock)

        self.serve(script=script)
        sock = self.connect("tcp")
        sock.sendall(b"go")
        self.assertEqual(end(sock), (b"all", False))
        self.nothingStays()

    def test_through_a_tunnel_of_http_both_ways(self):
        heard = []

        def script(sock, number):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            if number == 1:
                heard.append(end(sock))
            else:
                sock.sendall(b"v" * 100_000)
                time.sleep(0.3)
                reset(sock)

        self.serve(script=script)
        sock = self.connect()
        sock.sendall(UPGRADE)
        self.assertIn(b" 101 ", sock.recv(1000))
        sock.sendall(b"from the client")
        time.sleep(0.2)
        reset(sock)
        waitFor(lambda: heard == [(b"from the client", True)], "the upstream to be reset")

        sock = self.connect()
        sock.sendall(UPGRADE)
        data, broken = end(sock)
        self.assertTrue(broken)
        self.assertTrue(data.endswith(b"v" * 100_000))
        self.nothingStays()

    def test_a_body_that_only_the_end_delimits_is_cut_by_a_reset(self):
        def script(sock, _number):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            time.sleep(0.2)
            reset(sock)

        self.serve(script=script, http_protocol_options={"accept_http_10": True})
        sock = self.connect()
        sock.sendall(b"GET / HTTP/1.0\r\nhost: a.example\r\n\r\n")
        data, broken = end(sock)
        self.assertTrue(data.endswith(b"hello"), data)
        self.assertTrue(broken)


class DescriptorsTest(ResetTestCase):
    """A process that has no descriptors left for connections."""

    def serve(self, **more):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (160, before[1]))
        try:
            super().serve(**more, args=["--defaults=envoy"])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def refused(self):
        return self.sluice.stat("server.descriptors_exhausted")

    def test_clients_leave_room_for_admin_and_are_served_again_afterwards(self):
        self.serve(script=lambda sock, _number: sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))
        self.assertEqual(self.refused(), 0)
        port = self.sluice.port("http")
        socks = [self.connect(port) for _ in range(200)]
        waitFor(lambda: self.refused() > 1, "refusals to be counted")

        self.assertIn("http.http.downstream_cx_active", self.sluice.stats())
        self.assertEqual(self.sluice.log().count("out of file descriptors"), 1)
        for sock in socks:
            reset(sock)
        waitFor(lambda: get(port).status == 200, "a client to be served")

    def test_connections_to_hosts_leave_room_for_admin_too(self):
        self.serve()
        port = self.sluice.port("tcp")
        for _ in range(120):
            self.connect(port).sendall(b"some")
        waitFor(lambda: self.refused() > 1, "refusals to be counted")

        self.assertGreater(self.sluice.stat("cluster.up.upstream_cx_active"), 20)


if __name__ == "__main__":
    unittest.main()
