"""WebSocket and CONNECT through the proxy, between peers that are not ours: Node's WebSocket and http, curl."""
import base64
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.client import readResponse, reader  # noqa: E402
from harness.upstream import readRequest  # noqa: E402

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


class EventStreamTest(UpgradeCase):
    def test_events_come_as_they_are_sent_and_outlive_no_timeout(self):
        def script(sock, number):
            readRequest(reader(sock), number)
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for i in range(3):
                sock.sendall(b"9\r\ndata: %d\n\n\r\n" % i)
                time.sleep(0.2)
            sock.sendall(b"0\r\n\r\n")

        port = self.proxy(RawUpstream(script))
        times = []
        with subprocess.Popen(
            ["curl", "-sN", "--max-time", "10", f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE
        ) as client:
            for line in client.stdout:
                if line.strip():
                    times.append(time.monotonic())
        self.assertEqual((client.returncode, len(times)), (0, 3))
        self.assertGreater(times[2] - times[0], 0.2)


if __name__ == "__main__":
    unittest.main()
