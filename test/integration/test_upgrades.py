"""WebSocket and CONNECT through the proxy, between peers that are not ours: Node's WebSocket and http, curl."""
import base64
import hashlib
import os
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.client import readResponse, reader  # noqa: E402
from harness.upstream import freePort, readRequest  # noqa: E402

WEBSOCKET = [{"upgrade_type": "websocket"}]
CONNECT = [{"upgrade_type": "CONNECT"}]

# Echoes ten messages, one of them large, and closes.
NODE_CLIENT = """
const socket = new WebSocket(process.argv[1]);
const messages = [...Array(9).keys()].map((i) => "message " + i).concat(["x".repeat(200000)]);
let got = 0;
socket.onopen = () => messages.forEach((message) => socket.send(message));
socket.onmessage = (event) => {
  if (event.data !== messages[got]) { console.log("wrong at", got); process.exit(1); }
  if (++got === messages.length) socket.close(1000, "done");
};
socket.onclose = (event) => { console.log("closed", event.code, got); process.exit(event.code === 1000 ? 0 : 1); };
socket.onerror = (event) => { console.log("error", event.message); process.exit(2); };
"""


def acceptOf(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def echoFrames(source, sock):
    """A WebSocket server that sends back what comes, until it is closed (RFC 6455 section 5)."""
    while True:
        first, second = source.exactly(2)
        size = second & 127
        if size == 126:
            size = int.from_bytes(source.exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(source.exactly(8), "big")
        mask = source.exactly(4)
        payload = source.exactly(size)
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        head = bytes([first])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + size.to_bytes(2, "big")
        else:
            head += bytes([127]) + size.to_bytes(8, "big")
        sock.sendall(head + payload)
        if first & 15 == 8:
            return


def websocketServer(sock, number):
    source = reader(sock)
    request = readRequest(source, number)
    key = request.header("sec-websocket-key")
    if (request.header("upgrade") or "").lower() != "websocket" or key is None:
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno")
        return
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + acceptOf(key).encode() + b"\r\n\r\n"
    )
    echoFrames(source, sock)


class UpgradeCase(SluiceTestCase):
    def proxy(self, upstream, routes=None, **hcm):
        self.upstream = self.start(upstream)
        listeners = [httpListener("http", routes or [route("up")], **hcm)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", self.upstream.port)])))
        return self.sluice.port("http")

    def node(self, script, *arguments):
        done = subprocess.run(
            ["node", "--experimental-websocket", "--no-warnings", "-e", script, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=30,
        )
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace").strip()


class WebSocketTest(UpgradeCase):
    def test_a_node_client_and_a_server_exchange_messages(self):
        port = self.proxy(RawUpstream(websocketServer), upgrade_configs=WEBSOCKET)

        code, out = self.node(NODE_CLIENT, f"ws://127.0.0.1:{port}/chat")

        self.assertEqual((code, out), (0, "closed 1000 10"))
        stats = self.sluice.admin("/stats").body.decode()
        self.assertIn("http.http.downstream_cx_upgrades_total: 1\n", stats)
        waitFor(
            lambda: "http.http.downstream_cx_upgrades_active: 0\n" in self.sluice.admin("/stats").body.decode(),
            "the tunnel to be over",
        )

    def test_a_route_may_allow_what_the_connection_manager_does_not(self):
        port = self.proxy(
            RawUpstream(websocketServer), [route("up", "/chat", upgrade_configs=WEBSOCKET), route("up")]
        )

        self.assertEqual(self.node(NODE_CLIENT, f"ws://127.0.0.1:{port}/chat")[0], 0)
        self.assertNotEqual(self.node(NODE_CLIENT, f"ws://127.0.0.1:{port}/other")[0], 0)

    def test_what_is_not_allowed_is_answered_403_and_reaches_no_upstream(self):
        port = self.proxy(HttpUpstream())

        response = get(port, "/", [("connection", "upgrade"), ("upgrade", "websocket")])

        self.assertEqual(response.status, 403)
        self.assertEqual(get(port, "/after").status, 200)
        self.assertEqual(self.upstream.next().path, "/after")

    def test_an_upgrade_to_h2c_is_ignored(self):
        port = self.proxy(HttpUpstream())

        code, out = curl("-i", "--http2", f"http://127.0.0.1:{port}/")

        self.assertEqual((code, out[:12]), (0, b"HTTP/1.1 200"))
        self.assertIsNone(self.upstream.next().header("upgrade"))

    def test_a_refused_upgrade_leaves_both_connections_clean(self):
        def handler(request):
            return Reply(426 if request.header("upgrade") else 200, b"refused" if request.header("upgrade") else b"ok")

        port = self.proxy(HttpUpstream(handler), upgrade_configs=WEBSOCKET)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(
                    b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
                    b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n"
                )
                source = reader(sock)
                first, second = readResponse(source), readResponse(source)
            self.assertEqual((first.status, first.body), (426, b"refused"))
            self.assertEqual((second.status, second.body), (200, b"ok"))

    def test_nothing_is_sent_ahead_of_the_acceptance(self):
        seen = []

        def script(sock, number):
            source = reader(sock)
            readRequest(source, number)
            sock.settimeout(0.3)
            try:
                seen.append(sock.recv(100))
            except (TimeoutError, socket.timeout):
                seen.append(None)
            sock.settimeout(10)
            sock.sendall(b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            seen.append(sock.recv(100))

        port = self.proxy(RawUpstream(script), upgrade_configs=WEBSOCKET)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly")
            self.assertIn(b" 101 ", sock.recv(1000))
            waitFor(lambda: len(seen) == 2, "the upstream to have read")
        self.assertEqual(seen, [None, b"early"])


class ConnectTest(UpgradeCase):
    ROUTES = [{"match": {"connect_matcher": {}}, "route": {"cluster": "up"}}]

    def test_curl_tunnels_through_a_proxy_behind_us(self):
        def script(sock, number):
            source = reader(sock)
            request = readRequest(source, number)
            self.assertEqual((request.method, request.path), ("CONNECT", "target.example:80"))
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            inner = readRequest(source, number)
            body = b"inner " + inner.path.encode()
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

        port = self.proxy(RawUpstream(script), self.ROUTES, upgrade_configs=CONNECT)

        code, out = curl("-p", "-x", f"http://127.0.0.1:{port}", "http://target.example:80/path")

        self.assertEqual((code, out), (0, b"inner /path"))

    def test_connect_without_permission_is_answered_403(self):
        port = self.proxy(HttpUpstream(), self.ROUTES)

        code, out = curl("-i", "-p", "-x", f"http://127.0.0.1:{port}", "http://target.example:80/path")

        self.assertNotEqual(code, 0)
        self.assertIn(b" 403 ", out)

    def test_a_refused_connect_is_an_ordinary_answer(self):
        port = self.proxy(HttpUpstream(lambda request: Reply(405, b"no")), self.ROUTES, upgrade_configs=CONNECT)

        code, out = curl("-i", "-p", "-x", f"http://127.0.0.1:{port}", "http://target.example:80/path")

        self.assertNotEqual(code, 0)
        self.assertIn(b" 405 ", out)


class TwoProxies(UpgradeCase):
    """HTTP/1 clients in front of us, HTTP/2 between us and another of us, HTTP/1 behind that one."""

    def proxies(self, script, routes=None):
        upgrades = WEBSOCKET + CONNECT
        self.upstream = self.start(RawUpstream(script))
        behind = httpListener(
            "http", routes or [route("up")], upgrade_configs=upgrades, http2_protocol_options={"allow_connect": True}
        )
        self.behind = self.start(Sluice(self.scratch, bootstrap([behind], [cluster("up", self.upstream.port)])))
        front = httpListener("http", routes or [route("up")], upgrade_configs=upgrades)
        config = bootstrap([front], [cluster("up", self.behind.port("http"), **HTTP2)])
        self.sluice = self.start(Sluice(self.scratch, config))
        return self.sluice.port("http")


class ExtendedConnectTest(TwoProxies):
    def test_the_very_first_websocket_on_a_connection_works(self):
        port = self.proxies(websocketServer)

        for _ in range(3):
            self.assertEqual(self.node(NODE_CLIENT, f"ws://127.0.0.1:{port}/chat"), (0, "closed 1000 10"))
        self.assertEqual(self.sluice.stat("cluster.up.upstream_cx_http2_total"), 1)

    def test_many_first_websockets_at_once_work(self):
        port = self.proxies(websocketServer)
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(self.node(NODE_CLIENT, f"ws://127.0.0.1:{port}/")[0]))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual(results, [0] * 4)

    def test_a_host_that_takes_no_upgrades_is_named_as_the_reason(self):
        listener = httpListener("http", [route("up")])
        behind = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", 1)])))
        front = httpListener("http", [route("up")], upgrade_configs=WEBSOCKET)
        config = bootstrap([front], [cluster("up", behind.port("http"), **HTTP2)])
        port = self.start(Sluice(self.scratch, config)).port("http")

        for _ in range(2):
            response = get(port, "/", [("connection", "upgrade"), ("upgrade", "websocket")])
            self.assertEqual(response.status, 502)
            self.assertIn(b"SETTINGS do not allow extended CONNECT", response.body)


class HalfCloseCase(TwoProxies):
    UPGRADE = b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    CONNECT = b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n"

    def setUp(self):
        super().setUp()
        self.heard = []

    def accept(self, sock, number):
        request = readRequest(reader(sock), number)
        if request.method == "CONNECT":
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            sock.sendall(b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: %s\r\n\r\n" % request.header("upgrade").encode())

    def read(self, sock):
        data = bytearray()
        while True:
            piece = sock.recv(65536)
            if not piece:
                return bytes(data)
            data += piece

    def hostFirst(self, sock, number):
        self.accept(sock, number)
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        self.heard.append(self.read(sock))

    def clientFirst(self, sock, number):
        self.accept(sock, number)
        said = self.read(sock)
        sock.sendall(b"heard %d bytes" % len(said))

    def open(self, port, head):
        sock = rawConnection(port)
        sock.settimeout(10)
        self.addCleanup(sock.close)
        sock.sendall(head)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        self.assertRegex(answer, b"^HTTP/1.1 (101|200) ")
        return sock

    def check(self, start, head):
        large = b"x" * 500_000
        with self.subTest("the host ends first"):
            sock = self.open(start(self.hostFirst), head)
            self.assertEqual(self.read(sock), b"bye")
            sock.sendall(large)
            sock.sendall(b"the last word")
            sock.shutdown(socket.SHUT_WR)
            waitFor(lambda: self.heard, "the upstream to hear the client out")
            self.assertEqual(self.heard[0][-13:], b"the last word")
            self.assertEqual(len(self.heard[0]), len(large) + 13)
        with self.subTest("the client ends first"):
            sock = self.open(start(self.clientFirst), head)
            sock.sendall(large)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(self.read(sock), b"heard 500000 bytes")
        stats = self.sluice
        waitFor(lambda: stats.stat("http.http.downstream_cx_upgrades_active") == 0, "the tunnels to be over")
        waitFor(lambda: stats.stat("cluster.up.upstream_rq_active") == 0, "nothing to be held of the cluster")


class HalfCloseTest(HalfCloseCase):
    """Either side of a tunnel may end first: what the other still says gets through, and then all is over."""

    ROUTES = [{"match": {"connect_matcher": {}}, "route": {"cluster": "up"}}, route("up")]

    def alone(self, script):
        return self.proxy(RawUpstream(script), self.ROUTES, upgrade_configs=[{"upgrade_type": "x"}] + CONNECT)

    def pair(self, script):
        return self.proxies(script, self.ROUTES)

    def test_an_upgrade_of_http1(self):
        self.check(self.alone, self.UPGRADE)

    def test_an_extended_connect_of_http2(self):
        self.check(self.pair, self.UPGRADE.replace(b"upgrade: x", b"upgrade: websocket"))

    def test_a_connect_of_http1(self):
        self.check(self.alone, self.CONNECT)

    def test_a_connect_of_http2(self):
        self.check(self.pair, self.CONNECT)


class TerminatedConnectTest(HalfCloseCase):
    """CONNECT that ends at us: its bytes go to the route's cluster over TCP."""

    END = [{"upgrade_type": "CONNECT", "connect_config": {}}]
    ROUTES = [{"match": {"connect_matcher": {}}, "route": {"cluster": "up", "upgrade_configs": END}}]

    def accept(self, sock, number):
        pass  # the upstream sees bytes only

    def terminating(self, upstream, clusters=None, **hcm):
        self.upstream = self.start(upstream)
        listeners = [httpListener("http", self.ROUTES, **hcm)]
        config = bootstrap(listeners, clusters or [cluster("up", self.upstream.port)])
        self.sluice = self.start(Sluice(self.scratch, config))
        return self.sluice.port("http")

    def test_curl_reaches_the_cluster_whatever_host_it_names(self):
        port = self.terminating(HttpUpstream(lambda request: Reply(200, b"inner " + request.path.encode())))

        for target in ("target.example:80", "127.0.0.1:1", "169.254.169.254:80"):
            code, out = curl("-p", "-x", f"http://127.0.0.1:{port}", f"http://{target}/path")
            self.assertEqual((code, out), (0, b"inner /path"))
        self.assertEqual(self.upstream.next().method, "GET")

    def test_what_is_sent_ahead_is_held_and_then_delivered(self):
        port = self.terminating(RawUpstream(self.clientFirst))
        sock = rawConnection(port)
        self.addCleanup(sock.close)
        sock.sendall(self.CONNECT + b"early")
        sock.settimeout(10)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        sock.shutdown(socket.SHUT_WR)

        self.assertEqual(self.read(sock), b"heard 5 bytes")

    def test_no_tunnel_is_accepted_where_no_host_is_reached(self):
        port = self.terminating(HttpUpstream(), [cluster("up", freePort())])

        code, out = curl("-i", "-p", "-x", f"http://127.0.0.1:{port}", "http://target.example:80/")

        self.assertNotEqual(code, 0)
        self.assertIn(b"HTTP/1.1 503 ", out)

    def test_each_side_ends_by_itself_over_http1(self):
        self.check(lambda script: self.terminating(RawUpstream(script)), self.CONNECT)

    def test_each_side_ends_by_itself_over_http2(self):
        def start(script):
            self.upstream = self.start(RawUpstream(script))
            behind = httpListener("http", self.ROUTES)
            behind = self.start(Sluice(self.scratch, bootstrap([behind], [cluster("up", self.upstream.port)])))
            passing = [{"match": {"connect_matcher": {}}, "route": {"cluster": "up"}}]
            front = httpListener("http", passing, upgrade_configs=CONNECT)
            config = bootstrap([front], [cluster("up", behind.port("http"), **HTTP2)])
            self.sluice = self.start(Sluice(self.scratch, config))
            return self.sluice.port("http")

        self.check(start, self.CONNECT)

    def test_a_post_is_a_tunnel_too_where_that_is_allowed(self):
        action = {"cluster": "up", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {"allow_post": True}}]}
        self.ROUTES = [{"match": {"prefix": "/"}, "route": action}]
        port = self.terminating(RawUpstream(self.clientFirst))

        code, out = curl("--data-binary", "hello", f"http://127.0.0.1:{port}/")

        self.assertEqual((code, out), (0, b"heard 5 bytes"))


class EventStreamTest(UpgradeCase):
    def test_events_come_as_they_are_sent_and_outlive_no_timeout(self):
        came = threading.Semaphore(0)  # each event before the next one is sent

        def script(sock, number):
            readRequest(reader(sock), number)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for i in range(3):
                sock.sendall(b"9\r\ndata: %d\n\n\r\n" % i)
                came.acquire(timeout=10)
            sock.sendall(b"0\r\n\r\n")

        port = self.proxy(RawUpstream(script))
        events = []
        with subprocess.Popen(
            ["curl", "-sN", "--max-time", "10", f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE
        ) as client:
            for line in client.stdout:
                if line.strip():
                    events.append(line)
                    came.release()
        self.assertEqual((client.returncode, events), (0, [b"data: %d\n" % i for i in range(3)]))


if __name__ == "__main__":
    unittest.main()
