"""SIGTERM, SIGINT and /drain_listeners: nothing that runs is cut before the drain time, and nothing new begins."""
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client  # noqa: E402


class DrainTest(SluiceTestCase):
    def serve(self, drain_time=10, handler=None):
        self.upstream = self.start(HttpUpstream(handler))
        config = bootstrap([httpListener("http", [route("up", timeout="0s")])], [cluster("up", self.upstream.port)])
        self.sluice = self.start(Sluice(self.scratch, config, args=["--drain-time-s", str(drain_time)]))
        self.port = self.sluice.port("http")
        return self.port

    def keepAlive(self):
        """A connection that has had one answer."""
        sock = rawConnection(self.port)
        self.addCleanup(sock.close)
        sock.sendall(client.requestBytes("GET", "/"))
        self.assertEqual(readResponse(sock).status, 200)
        return sock

    def waitUntilDraining(self):
        waitFor(lambda: self.sluice.admin("/ready").status != 200, "readiness to fail")

    def test_without_connections_it_exits_0_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                self.serve(drain_time=30)
                began = time.monotonic()

                self.sluice.signal(number)

                self.assertEqual(self.sluice.waitForExit(), 0)
                self.assertLess(time.monotonic() - began, 5)

    def test_readiness_fails_and_new_connections_are_refused_while_one_is_left(self):
        self.serve()
        self.keepAlive()

        self.sluice.terminate()

        self.waitUntilDraining()
        waitFor(self.refused, "accepting to stop")
        self.assertTrue(self.sluice.isRunning())

    def refused(self):
        try:
            rawConnection(self.port).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_the_next_request_of_a_connection_is_answered_with_close_and_then_it_exits_0(self):
        self.serve()
        sock = self.keepAlive()
        self.sluice.terminate()
        self.waitUntilDraining()

        sock.sendall(client.requestBytes("GET", "/again"))
        response = readResponse(sock)

        self.assertEqual((response.status, (response.header("connection") or "").lower()), (200, "close"))
        self.assertEqual(sock.recv(1), b"")
        self.assertEqual(self.sluice.waitForExit(), 0)

    def test_an_idle_connection_is_closed_at_the_deadline_and_not_before(self):
        self.serve(drain_time=2)
        sock = self.keepAlive()
        began = time.monotonic()

        self.sluice.terminate()
        end = sock.recv(1)

        self.assertEqual(end, b"")
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertEqual(self.sluice.waitForExit(), 0)

    def test_a_request_that_runs_is_finished_before_the_exit(self):
        release = threading.Event()
        self.serve(handler=lambda request: release.wait(10) and Reply(200, b"late"))
        result = []
        thread = threading.Thread(target=lambda: result.append(get(self.port)))
        thread.start()
        self.upstream.next()

        self.sluice.terminate()
        self.waitUntilDraining()
        release.set()
        thread.join()

        self.assertEqual((result[0].status, result[0].body), (200, b"late"))
        self.assertEqual(self.sluice.waitForExit(), 0)

    def test_what_is_cut_at_the_deadline_is_told(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.serve(drain_time=1, handler=lambda request: release.wait(20) and Reply())
        with rawConnection(self.port) as sock:
            sock.sendall(client.requestBytes("GET", "/"))
            self.upstream.next()

            self.sluice.terminate()

            self.assertEqual(self.sluice.waitForExit(), 0)
        self.assertRegex(self.sluice.log(), r"(?i)(cut|clos\w+|end\w+).*\b1\b|\b1\b.*(cut|clos\w+)")

    def test_a_second_signal_exits_at_once(self):
        self.serve(drain_time=60)
        self.keepAlive()
        self.sluice.terminate()
        self.waitUntilDraining()

        self.sluice.terminate()

        self.sluice.waitForExit(5)

    def test_drain_listeners_stops_accepting_and_the_process_runs_on(self):
        self.serve()
        self.assertEqual(self.sluice.admin("/drain_listeners", "GET").status, 405)

        self.assertEqual(self.sluice.admin("/drain_listeners", "POST").status, 200)

        waitFor(self.refused, "accepting to stop")
        self.assertEqual(self.sluice.admin("/server_info").status, 200)

    def serveBothWays(self, drain_time):
        listeners = [httpListener(name, [route("up")]) for name in ("inbound", "outbound")]
        for listener in listeners:
            listener["traffic_direction"] = listener["name"].upper()
        self.upstream = self.start(HttpUpstream())
        config = bootstrap(listeners, [cluster("up", self.upstream.port)])
        self.sluice = self.start(Sluice(self.scratch, config, args=["--drain-time-s", str(drain_time)]))
        self.port = self.sluice.port("inbound")

    def connect(self, port=None):
        sock = rawConnection(port or self.port)
        self.addCleanup(sock.close)
        return sock

    def answerOn(self, sock):
        sock.sendall(client.requestBytes("GET", "/"))
        response = readResponse(sock)
        return response.status, (response.header("connection") or "").lower()

    def test_a_failed_health_check_asks_connections_to_end_and_accepts_on(self):
        self.serve()
        kept = self.keepAlive()

        self.assertEqual(self.sluice.admin("/healthcheck/fail", "POST").status, 200)

        self.assertEqual(self.sluice.admin("/ready").status, 503)
        self.assertEqual(self.answerOn(kept), (200, "close"))
        self.assertEqual(self.answerOn(self.connect()), (200, "close"))
        self.assertEqual(self.sluice.admin("/healthcheck/ok", "POST").status, 200)
        self.assertEqual(self.sluice.admin("//ready").status, 200)
        self.assertEqual(self.answerOn(self.connect()), (200, ""))

    def test_drain_listeners_tells_the_connections_that_are_kept(self):
        self.serve()
        kept = self.keepAlive()

        self.sluice.admin("/drain_listeners", "POST")

        waitFor(self.refused, "accepting to stop")
        self.assertEqual(self.answerOn(kept), (200, "close"))

    def test_listeners_of_inbound_traffic_drain_alone(self):
        self.serveBothWays(drain_time=5)
        kept = self.connect(self.sluice.port("outbound"))
        self.answerOn(kept)

        self.assertEqual(self.sluice.admin("/drain_listeners?inboundonly", "POST").status, 200)

        waitFor(self.refused, "accepting to stop")
        self.assertEqual(self.answerOn(kept), (200, ""))
        self.assertEqual(get(self.sluice.port("outbound")).status, 200)

    def test_a_graceful_drain_accepts_for_the_drain_time_and_with_skip_exit_on(self):
        for how, accepts_after in (("graceful", False), ("graceful&skip_exit", True)):
            with self.subTest(how=how):
                self.serve(drain_time=1)
                kept = self.keepAlive()

                self.assertEqual(self.sluice.admin("/drain_listeners?" + how, "POST").status, 200)

                self.assertEqual(self.answerOn(kept), (200, "close"))
                self.assertEqual(self.answerOn(self.connect()), (200, "close"))
                if accepts_after:
                    time.sleep(1.5)
                    self.assertFalse(self.refused())
                else:
                    waitFor(self.refused, "accepting to stop")

    def test_the_connections_of_a_listener_are_counted(self):
        self.serve()
        self.keepAlive()
        name = f"listener.127.0.0.1_{self.port}.downstream_cx_active"

        waitFor(lambda: self.sluice.stats().get(name) == 1, "the connection to be counted")

    def test_quitquitquit_ends_the_process(self):
        self.serve(drain_time=1)
        self.assertEqual(self.sluice.admin("/quitquitquit", "GET").status, 405)

        self.assertEqual(self.sluice.admin("/quitquitquit", "POST").status, 200)

        self.assertEqual(self.sluice.waitForExit(), 0)


if __name__ == "__main__":
    unittest.main()
