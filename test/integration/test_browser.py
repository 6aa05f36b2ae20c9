"""A real browser through the proxy: a page over HTTP/2 and TLS, and a WebSocket on it."""
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config  # noqa: E402
from harness.client import _Reader  # noqa: E402
from harness.upstream import readRequest  # noqa: E402

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
            told.wait(3)
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
    def test_a_page_comes_over_http2_and_its_websocket_works(self):
        self.assertIsNotNone(shutil.which("chromium"), "chromium is not installed: run tools/setup test")
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

        page = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors"]
            + [f"--user-data-dir={self.scratch.join('profile')}", "--virtual-time-budget=10000", "--dump-dom"]
            + [f"https://localhost:{sluice.port('web')}/"],
            capture_output=True,
            text=True,
            timeout=60,
        )

        self.assertIn('<p id="protocol">h2</p>', page.stdout, page.stderr)
        self.assertIn('<p id="socket">echo: hello from the page</p>', page.stdout, page.stderr)


if __name__ == "__main__":
    unittest.main()
