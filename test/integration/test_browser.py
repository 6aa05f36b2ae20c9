"""A real browser through the proxy: a page over HTTP/2 and TLS, a WebSocket on it, and what it lets pages of other sites read."""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.client import _Reader  # noqa: E402
from harness.upstream import freePort, readRequest  # noqa: E402

PAGE = b"""<!doctype html><title>page</title><p id=protocol></p><p id=socket></p><script>
document.getElementById("protocol").textContent = performance.getEntriesByType("navigation")[0].nextHopProtocol;
const socket = new WebSocket("wss://" + location.host + "/socket");
socket.onopen = () => socket.send("hello from the page");
const tell = (text) => { document.getElementById("socket").textContent = text; fetch("/told"); };
socket.onmessage = (message) => tell("echo: " + message.data);
socket.onerror = () => tell("failed");
fetch("/hold");
</script>
"""
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


# Asks another origin, which is another port here, for each of CALLS, and writes down what a script gets to see.
ASKING_PAGE = """<!doctype html><title>page</title><pre id=seen></pre><script>
const calls = %s;
Promise.all(calls.map(([name, path, options]) =>
  fetch("http://localhost:%d" + path, options)
    .then((answer) => [name, answer.status, answer.headers.get("x-shown"), answer.headers.get("x-kept")].join(" "))
    .catch(() => name + " refused")
)).then((lines) => { document.getElementById("seen").textContent = lines.join("|"); });
</script>
"""
TOKEN = {"method": "PUT", "headers": {"x-token": "1"}, "credentials": "include", "body": "text"}
CALLS = [
    ["plain", "/open", {}],
    ["token", "/open", TOKEN],
    ["method", "/open", {"method": "DELETE"}],
    ["header", "/open", {"headers": {"x-other": "1"}}],
    ["stranger", "/closed", {}],
    ["strangers-token", "/closed", TOKEN],
    ["silent", "/none", {}],
]


def serve(sock, number, told):
    """The page, and a WebSocket that echoes one frame after the other.

    The browser's virtual time stands still for requests, not for WebSockets: /hold is answered once /told has come, or
    after a while that is long enough for an echo.
    """
    source = _Reader(sock)
    while True:
        request = readRequest(source, number)
        if request.path == "/told":
            told.set()
        elif request.path == "/hold":
            told.wait(20)
        if request.path != "/socket":
            sock.sendall(Reply(200, PAGE, [("content-type", "text/html")]).encode(request.method))
            continue
        accept = base64.b64encode(hashlib.sha1(request.header("sec-websocket-key").encode() + GUID).digest()).decode()
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while True:
            opcode, length = source.exactly(2)
            mask = source.exactly(4)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(source.exactly(length & 0x7F)))
            sock.sendall(bytes([opcode, len(payload)]) + payload)


class BrowserTest(SluiceTestCase):
    def browse(self, url, *options):
        self.assertIsNotNone(shutil.which("chromium"), "chromium is not installed: run tools/setup test")
        return subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.scratch.join('profile')}"]
            + ["--virtual-time-budget=10000", "--dump-dom", *options, url],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_pages_of_other_sites_read_what_cors_lets_them(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(200, b"data", [("x-shown", "yes"), ("x-kept", "no")])))
        pages = freePort()
        policy = {
            "@type": config.TYPE + "envoy.extensions.filters.http.cors.v3.CorsPolicy",
            "allow_methods": "GET, PUT",
            "allow_headers": "x-token",
            "expose_headers": "x-shown",
            "allow_credentials": True,
        }
        allowing = lambda origin: {  # noqa: E731
            "typed_per_filter_config": {"envoy.filters.http.cors": {**policy, "allow_origin_string_match": [{"exact": origin}]}}
        }
        cors = {
            "name": "envoy.filters.http.cors",
            "typed_config": {"@type": config.TYPE + "envoy.extensions.filters.http.cors.v3.Cors"},
        }
        api = httpListener(
            "api",
            [
                {**route("up", prefix="/open"), **allowing(f"http://localhost:{pages}")},
                {**route("up", prefix="/closed"), **allowing("https://shop.example")},
                route("up"),
            ],
            filters=[cors],
        )
        api["address"] = config.socketAddress(freePort())
        port = api["address"]["socket_address"]["port_value"]
        page = config.directResponse(200, ASKING_PAGE % (json.dumps(CALLS), port))
        page["response_headers_to_add"] = [
            {"header": {"key": "content-type", "value": "text/html"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ]
        web = httpListener("web", [page], address=config.socketAddress(pages))
        self.start(Sluice(self.scratch, bootstrap([web, api], [cluster("up", upstream.port)])))

        seen = self.browse(f"http://localhost:{pages}/")

        lines = re.search(r'<pre id="seen">(.*?)</pre>', seen.stdout).group(1).split("|")
        self.assertEqual(
            lines,
            ["plain 200 yes ", "token 200 yes ", "method refused", "header refused", "stranger refused"]
            + ["strangers-token refused", "silent refused"],
            seen.stdout + seen.stderr,
        )
        # Of what a browser asks about first, no more comes through than is allowed. A question of a page that no policy
        # names is the upstream's to answer.
        self.assertEqual(
            sorted((request.method, request.path) for request in upstream.requests.queue),
            [("GET", "/closed"), ("GET", "/none"), ("GET", "/open"), ("OPTIONS", "/closed"), ("PUT", "/open")],
        )

    def test_a_page_comes_over_http2_and_its_websocket_works(self):
        key, certificate = self.scratch.join("key.pem"), self.scratch.join("certificate.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )
        told = threading.Event()
        upstream = self.start(RawUpstream(lambda sock, number: serve(sock, number, told)))
        listener = httpListener(
            "web",
            [route("up")],
            upgrade_configs=[{"upgrade_type": "websocket"}],
            http2_protocol_options={"allow_connect": True},
        )
        listener["filter_chains"][0]["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": config.TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificates": [
                        {"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}
                    ],
                },
            },
        }
        sluice = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", upstream.port)])))

        page = self.browse(f"https://localhost:{sluice.port('web')}/", "--ignore-certificate-errors")

        self.assertIn('<p id="protocol">h2</p>', page.stdout, page.stderr)
        self.assertIn('<p id="socket">echo: hello from the page</p>', page.stdout, page.stderr)


if __name__ == "__main__":
    unittest.main()
