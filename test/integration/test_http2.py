"""HTTP/2 on the client's side, spoken by clients that are not ours: curl, nghttp and h2load."""
import os
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import frames  # noqa: E402


def run(*command, timeout=30):
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout)
    return done.returncode, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


class Http2Case(SluiceTestCase):
    def proxy(self, handler=None, **hcm):
        self.upstream = self.start(HttpUpstream(handler))
        listeners = [httpListener("http", [route("up")], **hcm)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [cluster("up", self.upstream.port)])))
        return self.sluice.port("http")

    def stat(self, name):
        for line in self.sluice.admin("/stats").body.decode().splitlines():
            if line.startswith(f"http.http.{name}:"):
                return int(line.rsplit(":", 1)[1])
        return None


class PriorKnowledgeTest(Http2Case):
    def test_curl_speaks_http2_to_a_listener_that_finds_out_by_itself(self):
        port = self.proxy(lambda request: Reply(200, b"hello", [("x-from", "upstream")]))

        code, out = curl("-i", "--http2-prior-knowledge", "-H", "x-to: upstream", f"http://127.0.0.1:{port}/path?q=1")

        seen = self.upstream.next()
        self.assertEqual((code, seen.method, seen.path, seen.header("x-to")), (0, "GET", "/path?q=1", "upstream"))
        self.assertTrue(out.startswith(b"HTTP/2 200"), out)
        self.assertIn(b"x-from: upstream", out)
        self.assertTrue(out.endswith(b"hello"), out)
        self.assertEqual((self.stat("downstream_cx_http2_total"), self.stat("downstream_rq_http2_total")), (1, 1))

    def test_the_same_listener_serves_http1(self):
        port = self.proxy()

        code, out = curl("-i", "--http1.1", f"http://127.0.0.1:{port}/")

        self.assertEqual((code, out[:12]), (0, b"HTTP/1.1 200"))
        self.assertEqual(self.stat("downstream_cx_http1_total"), 1)

    def test_a_listener_for_http2_only(self):
        port = self.proxy(codec_type="HTTP2")

        self.assertEqual(curl("--http2-prior-knowledge", f"http://127.0.0.1:{port}/")[0], 0)
        self.assertNotEqual(curl("--http1.1", f"http://127.0.0.1:{port}/")[0], 0)

    def test_bodies_of_both_ways_arrive_whole(self):
        body = os.urandom(3_000_000)
        port = self.proxy(lambda request: Reply(200, request.body))
        path = self.scratch.join("body")
        with open(path, "wb") as file:
            file.write(body)

        code, out = curl("--http2-prior-knowledge", "--data-binary", f"@{path}", f"http://127.0.0.1:{port}/")

        self.assertEqual(code, 0)
        self.assertTrue(out == body)

    def test_head_has_a_length_and_no_body(self):
        port = self.proxy(lambda request: Reply(200, b"12345"))

        code, out = curl("-I", "--http2-prior-knowledge", f"http://127.0.0.1:{port}/")

        self.assertEqual((code, out[:10]), (0, b"HTTP/2 200"))
        self.assertIn(b"content-length: 5", out)

    def test_nghttp_gets_many_resources_over_one_connection(self):
        port = self.proxy(lambda request: Reply(200, request.path.encode()))

        code, out = run("nghttp", "-v", *[f"http://127.0.0.1:{port}/{i}" for i in range(20)])

        self.assertEqual(code, 0, out)
        self.assertEqual(len(re.findall(r":status: 200", out)), 20)
        self.assertEqual(self.stat("downstream_cx_http2_total"), 1)

    def test_h2load_gets_every_answer(self):
        port = self.proxy()

        code, out = run("h2load", "-n", "2000", "-c", "4", "-m", "32", f"http://127.0.0.1:{port}/")

        self.assertEqual(code, 0, out)
        self.assertIn("2000 succeeded, 0 failed, 0 errored", out)

    def test_the_stream_limit_is_told(self):
        port = self.proxy(http2_protocol_options={"max_concurrent_streams": 7})

        _, out = run("nghttp", "-v", f"http://127.0.0.1:{port}/")

        self.assertRegex(out, r"SETTINGS_MAX_CONCURRENT_STREAMS\(0x03\):7")


class EarlyAnswerTest(Http2Case):
    def proxy(self, **hcm):
        listeners = [httpListener("http", [directResponse(401, "no")], **hcm)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, [])))
        return self.sluice.port("http")

    def test_an_answer_that_comes_before_the_body_is_seen(self):
        port = self.proxy()
        large = self.scratch.join("large")
        with open(large, "wb") as file:
            file.write(bytes(300_000))

        for body in ["a=b"] * 20 + [f"@{large}"] * 3:
            code, out = curl("-i", "--http2-prior-knowledge", "--data-binary", body, f"http://127.0.0.1:{port}/")
            self.assertIn(code, (0, 92))
            self.assertTrue(out.startswith(b"HTTP/2 401"), (code, body[:10], out))

    def test_a_client_that_does_not_end_its_request_is_told_in_time(self):
        port = self.proxy(delayed_close_timeout="0.2s")
        peer = frames.Client(port)
        peer.send(frames.headers(1, frames.requestFields(method="POST"), False), frames.data(1, b"some", False))

        answered = peer.outcome(1)
        reset = peer.outcome(1)

        self.assertEqual((answered.status, answered.body, answered.code), (401, b"no", None))
        self.assertEqual((reset.status, reset.code, reset.connection_over), (None, 0, False))  # NO_ERROR
        peer.close()


class IndependenceTest(Http2Case):
    def test_a_stream_whose_upstream_is_slow_holds_no_other_up(self):
        release = threading.Event()

        def handler(request):
            if request.path == "/slow":
                release.wait(10)
            return Reply(200, b"x")

        port = self.proxy(handler)
        slow = subprocess.Popen(
            ["nghttp", "-v", f"http://127.0.0.1:{port}/slow", f"http://127.0.0.1:{port}/fast"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            lines = []
            for line in slow.stdout:
                lines.append(line.decode())
                if ":status: 200" in lines[-1]:
                    break
            self.assertTrue(lines and "stream_id=13" not in lines[-1], lines[-1])
        finally:
            release.set()
            slow.communicate(timeout=10)
        self.assertEqual(slow.returncode, 0)

    def test_max_requests_per_connection_ends_connections_without_losing_a_request(self):
        port = self.proxy(common_http_protocol_options={"max_requests_per_connection": 50})

        code, out = run("h2load", "-n", "500", "-c", "1", "-m", "8", f"http://127.0.0.1:{port}/")

        self.assertEqual(code, 0, out)
        self.assertNotIn(" 0 succeeded", out)
        self.assertGreater(self.stat("downstream_cx_max_requests_reached"), 0)


if __name__ == "__main__":
    unittest.main()
