"""The harness itself: a load generator that misses failures, or sees them where there are none, would prove nothing."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import HttpUpstream, RawUpstream, Reply, SluiceTestCase, exchange, get, request, waitFor  # noqa: E402
from harness import mmdb  # noqa: E402
from harness.traffic import LoadRun, Origin  # noqa: E402


class LoadTest(SluiceTestCase):
    def run_load(self, port, seconds=0.6, rate=300, mix="get=4,post=2,stream=1,close=1,idle=4", **options):
        load = self.start(LoadRun(f"127.0.0.1:{port}", rate, mix, **{"idle_s": 0.1, **options}))
        time.sleep(seconds)
        return load.finish()

    def test_a_correct_server_gives_no_failure_and_every_kind_of_work_is_done(self):
        origin = self.start(Origin(self.scratch, "v7"))

        counts = self.run_load(origin.port)

        self.assertEqual(counts["failed"], 0, counts["details"])
        self.assertGreater(counts["requests"], 100)
        self.assertEqual(set(counts["kinds"]), {"get", "post", "stream", "close", "idle"})
        self.assertEqual(set(counts["versions"]), {"v7"})

    def test_an_error_status_is_a_failure(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(503)))

        counts = self.run_load(upstream.port, mix="get=1")

        self.assertEqual(counts["failed"], counts["requests"])
        self.assertIn("get: status 503", counts["failures"])

    def test_a_connection_cut_inside_the_body_is_a_failure(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(200, b"short", [("Content-Length", "10")], close=True)))

        counts = self.run_load(upstream.port, mix="get=1")

        self.assertEqual(counts["failures"], {"get: closed inside the body": counts["requests"]})

    def test_a_chunked_body_without_its_end_is_a_failure(self):
        cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"

        def script(sock, number):
            sock.recv(4096)
            sock.sendall(cut)

        counts = self.run_load(self.start(RawUpstream(script)).port, mix="get=1")

        self.assertEqual(counts["failed"], counts["requests"])

    def test_a_request_that_meets_a_closed_connection_is_a_failure(self):
        def script(sock, number):
            sock.recv(4096)  # reads the request, then closes without a word

        counts = self.run_load(self.start(RawUpstream(script)).port, mix="get=1")

        self.assertEqual(counts["failed"], counts["requests"])

    def test_a_silent_server_is_a_failure_after_the_timeout(self):
        upstream = self.start(RawUpstream(lambda sock, number: sock.recv(4096) and time.sleep(5)))

        counts = self.run_load(upstream.port, rate=20, mix="get=1", timeout_s=0.2)

        self.assertEqual(counts["failed"], counts["requests"])
        self.assertIn("get: no answer within 0.2 s", counts["failures"])

    def test_an_announced_close_is_followed_by_a_new_connection_without_a_failure(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(close=True)))

        counts = self.run_load(upstream.port, mix="get=1,idle=2")

        self.assertEqual(counts["failed"], 0, counts["details"])

    def test_a_body_that_did_not_arrive_whole_is_a_failure(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(headers=[("x-body-length", "1")])))

        counts = self.run_load(upstream.port, mix="post=1")

        self.assertEqual(counts["failed"], counts["requests"])

    def test_a_report_counts_since_the_report_before_it(self):
        origin = self.start(Origin(self.scratch))
        load = self.start(LoadRun(f"127.0.0.1:{origin.port}", 100, "get=1"))

        reported = []
        waitFor(lambda: reported.append(load.report()["requests"]) or sum(reported) > 5, "some requests")
        total = load.finish()["requests"]

        self.assertLessEqual(sum(reported), total)


class DatabaseTest(unittest.TestCase):
    def test_testdata_is_what_is_written(self):
        for name, content in mmdb.TESTDATA.items():
            with open(os.path.join(mmdb.TESTDATA_FOLDER, name), "rb") as file:
                self.assertEqual(file.read(), content, name)


class ClientTest(SluiceTestCase):
    def test_a_response_is_read_with_its_trailers(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(200, [b"ab", b"c"], trailers=[("x-sum", "3")])))

        response = get(upstream.port)

        self.assertEqual((response.status, response.body, response.trailers), (200, b"abc", [("x-sum", "3")]))

    def test_a_chunked_request_reaches_the_script_whole(self):
        upstream = self.start(HttpUpstream())

        request(upstream.port, "POST", "/p", body=[b"one", b"two"])

        self.assertEqual(upstream.next().body, b"onetwo")

    def test_an_exchange_returns_what_came_before_the_close(self):
        upstream = self.start(RawUpstream(lambda sock, number: sock.sendall(b"bye")))

        self.assertEqual(exchange(upstream.port, b""), b"bye")


if __name__ == "__main__":
    unittest.main()
