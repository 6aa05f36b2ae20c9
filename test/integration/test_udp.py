"""UDP listeners and udp_proxy: sessions, hot swaps under traffic, hosts that leave, and what strangers send."""
import os
import random
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.ads import CLUSTER, LISTENER, AdsServer  # noqa: E402
from harness.config import TYPE, socketAddress  # noqa: E402
from harness.upstream import freePort  # noqa: E402

UDP = TYPE + "envoy.extensions.filters.udp.udp_proxy.v3."


def udpAddress(port, address="127.0.0.1"):
    return {"socket_address": {"protocol": "UDP", "address": address, "port_value": port}}


def udpListener(name, port, cluster_name="up", address="127.0.0.1", more=None, **proxy):
    config = {"@type": UDP + "UdpProxyConfig", "stat_prefix": "u", **proxy}
    if "matcher" not in config:
        config["cluster"] = cluster_name
    return {
        "name": name,
        "address": udpAddress(port, address),
        "listener_filters": [{"name": "envoy.filters.udp_listener.udp_proxy", "typed_config": config}],
        **(more or {}),
    }


class UdpEcho:
    """Answers each datagram with its name in front."""

    def __init__(self, name=b"", port=0):
        self.name = name
        self.peers = set()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", port))
        self.sock.settimeout(0.1)
        self.port = self.sock.getsockname()[1]
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.running:
            try:
                data, peer = self.sock.recvfrom(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            self.peers.add(peer)
            try:
                self.sock.sendto(self.name + data, peer)
            except OSError:
                pass  # the proxy closed the session

    def stop(self):
        self.running = False
        self.thread.join()
        self.sock.close()


class UdpTestCase(SluiceTestCase):
    def serve(self, listeners, clusters, **sluice):
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, clusters), **sluice))
        return self.sluice

    def client(self, port, address="127.0.0.1"):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(5)
        sock.connect((address, port))
        return sock

    def ask(self, sock, data):
        sock.send(data)
        return sock.recv(65536)

    def stat(self, name):
        return self.sluice.stat(name)


class Pinger(threading.Thread):
    """Clients that each ask at a modest rate until told to stop; counts what was not answered."""

    def __init__(self, test, port, clients=8, interval=0.002):
        super().__init__(daemon=True)
        self.socks = [test.client(port) for _ in range(clients)]
        self.interval = interval
        self.asked = 0
        self.lost = []
        self.names = set()
        self.done = threading.Event()
        self.start()

    def run(self):
        number = 0
        while not self.done.is_set():
            sock = self.socks[number % len(self.socks)]
            question = b"#%d" % number
            number += 1
            self.asked += 1
            try:
                sock.send(question)
                answer = sock.recv(65536)
                if not answer.endswith(question):
                    self.lost.append((question, answer))
                self.names.add(answer[: -len(question)])
            except OSError as error:
                self.lost.append((question, repr(error)))
            self.done.wait(self.interval)

    def finish(self):
        self.done.set()
        self.join()
        return self.lost


class UdpProxyTest(UdpTestCase):
    def test_datagrams_go_both_ways_and_are_counted(self):
        echo = self.start(UdpEcho(b"echo:"))
        route = {"@type": UDP + "Route", "cluster": "up"}
        matcher = {"on_no_match": {"action": {"name": "route", "typed_config": route}}}
        port = freePort()
        sluice = self.serve([udpListener("u", port, matcher=matcher)], [cluster("up", udpAddress(echo.port))], concurrency=2)
        clients = [self.client(port) for _ in range(20)]
        for round_number in range(3):
            for number, sock in enumerate(clients):
                text = b"%d-%d" % (number, round_number)
                self.assertEqual(self.ask(sock, text), b"echo:" + text)
        self.assertEqual(self.ask(clients[0], b""), b"echo:")
        self.assertEqual(len(echo.peers), 20)  # a session each, and each stayed on its worker
        self.assertEqual(self.stat("udp.u.downstream_sess_total"), 20)
        self.assertEqual(self.stat("udp.u.downstream_sess_active"), 20)
        self.assertEqual(self.stat("udp.u.downstream_sess_rx_datagrams"), 61)
        # Counted behind the send, so the client may have the last answer before.
        waitFor(lambda: self.stat("udp.u.downstream_sess_tx_datagrams") == 61, "the last answer to be counted")
        self.assertEqual(self.stat("cluster.up.udp.sess_tx_datagrams"), 61)
        self.assertIn('envoy_udp_downstream_sess_total{envoy_udp_prefix="u"} 20', sluice.admin("/stats/prometheus").body.decode())

    def test_a_listener_of_all_addresses_answers_from_the_one_that_was_asked(self):
        echo = self.start(UdpEcho())
        port = freePort()
        self.serve([udpListener("u", port, address="0.0.0.0")], [cluster("up", echo.port)])
        self.assertEqual(self.ask(self.client(port, "127.0.0.2"), b"two"), b"two")
        self.assertEqual(self.ask(self.client(port, "127.0.0.3"), b"three"), b"three")
        self.assertEqual(self.stat("udp.u.downstream_sess_total"), 2)

    def test_udp_and_tcp_share_a_port(self):
        echo = self.start(UdpEcho())
        port = freePort()
        http = httpListener("h", [directResponse(200, "tcp")], address=socketAddress(port))
        self.serve([udpListener("u", port), http], [cluster("up", echo.port)])
        self.assertEqual(self.ask(self.client(port), b"udp"), b"udp")
        self.assertEqual(get(port, "/").body, b"tcp")

    def test_large_datagrams_pass_where_they_are_allowed_and_are_dropped_else(self):
        echo = self.start(UdpEcho())
        small, large = freePort(), freePort()
        size = {"max_rx_datagram_size": 60000}
        self.serve(
            [
                udpListener("s", small),
                udpListener(
                    "l", large, more={"udp_listener_config": {"downstream_socket_config": size}}, upstream_socket_config=size
                ),
            ],
            [cluster("up", echo.port)],
        )
        big = bytes(range(256)) * 200
        self.assertEqual(self.ask(self.client(large), big), big)
        sock = self.client(small)
        sock.send(big)
        self.assertEqual(self.ask(sock, b"small"), b"small")
        self.assertEqual(self.stat("listener.127.0.0.1_%d.udp.downstream_rx_datagram_dropped" % small), 1)

    def test_sessions_end_when_idle_and_tell_the_access_log(self):
        echo = self.start(UdpEcho())
        port = freePort()
        path = self.scratch.join("udp.log")
        text = (
            "%BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_HOST% %CONNECTION_TERMINATION_DETAILS% "
            "%DYNAMIC_METADATA(udp.proxy.session:datagrams_received)%\n"
        )
        log = fileLog(path, text)
        self.serve([udpListener("u", port, idle_timeout="0.3s", access_log=[log])], [cluster("up", echo.port)])
        sock = self.client(port)
        self.ask(sock, b"12345")
        waitFor(lambda: self.stat("udp.u.downstream_sess_active") == 0, "the session to end")
        self.assertEqual(self.stat("udp.u.idle_timeout"), 1)
        waitFor(lambda: os.path.exists(path) and os.path.getsize(path), "the line")
        with open(path) as file:
            line = file.read()
        self.assertEqual(line, "5 5 127.0.0.1:%d udp_session_idle_timeout 1\n" % echo.port)
        self.assertEqual(self.ask(sock, b"again"), b"again")

    def test_a_host_that_is_down_costs_nobody_else_and_serves_when_it_is_back(self):
        port, host = freePort(), freePort()
        self.serve([udpListener("u", port)], [cluster("up", host)])
        sock = self.client(port)
        sock.send(b"lost")
        waitFor(lambda: self.stat("cluster.up.udp.sess_rx_errors") == 1, "the refusal")
        self.start(UdpEcho(port=host))
        self.assertEqual(self.ask(sock, b"back"), b"back")

    def test_the_circuit_breaker_bounds_sessions(self):
        echo = self.start(UdpEcho())
        port = freePort()
        breakers = {"thresholds": [{"max_connections": 5}]}
        self.serve([udpListener("u", port)], [cluster("up", echo.port, circuit_breakers=breakers)])
        kept = [self.client(port) for _ in range(5)]
        for sock in kept:
            self.ask(sock, b"in")
        for _ in range(50):  # as forged addresses would
            self.client(port).send(b"flood")
        for sock in kept:
            self.assertEqual(self.ask(sock, b"still in"), b"still in")
        self.assertEqual(self.stat("cluster.up.upstream_cx_overflow"), 50)
        self.assertEqual(self.stat("udp.u.downstream_sess_active"), 5)

    def test_garbage_passes_through_and_harms_nothing(self):
        echo = self.start(UdpEcho())
        port = freePort()
        self.serve([udpListener("u", port)], [cluster("up", echo.port)])
        dice = random.Random(1)
        sock = self.client(port)
        for _ in range(300):
            data = dice.randbytes(dice.choice([0, 1, 7, 64, 512, 1472, 1500]))
            self.assertEqual(self.ask(sock, data), data)
        self.assertTrue(self.sluice.isRunning())

    def test_sessions_answer_while_the_process_drains(self):
        echo = self.start(UdpEcho())
        port = freePort()
        self.serve([udpListener("u", port)], [cluster("up", echo.port)])
        sock = self.client(port)
        self.ask(sock, b"before")
        self.sluice.terminate()
        waitFor(lambda: "draining" in self.sluice.log(), "the drain")
        for _ in range(20):
            self.assertEqual(self.ask(sock, b"while"), b"while")
        self.assertEqual(self.sluice.waitForExit(15), 0)  # some seconds of silence, not the drain time


class UdpDynamicTest(UdpTestCase):
    """Listeners, clusters and endpoints that a control plane changes under traffic."""

    def setUp(self):
        super().setUp()
        self.control = self.start(AdsServer())
        self.one, self.two = self.start(UdpEcho(b"one:")), self.start(UdpEcho(b"two:"))
        self.port = freePort()
        self.control.set(CLUSTER, cluster("one", self.one.port), cluster("two", self.two.port))

    def run_sluice(self, *args):
        self.sluice = self.start(Sluice(self.scratch, xdsBootstrap(self.control.port), concurrency=2, args=args))

    def listen(self, *listeners):
        self.control.set(LISTENER, *listeners)
        version = self.control.version(LISTENER)
        waitFor(lambda: self.control.verdict(LISTENER, version) is not None, "an answer")
        return self.control.verdict(LISTENER, version)

    def test_swaps_under_traffic_lose_nothing(self):
        self.control.set(LISTENER, udpListener("u", self.port, "one"))
        self.run_sluice("--drain-time-s", "1")
        traffic = Pinger(self, self.port)
        for number in range(30):
            # Other clusters, other filter settings, and now and then sockets made anew.
            more = {"socket_options": [{"level": 1, "name": 8, "int_value": 300000 + number // 5, "description": "rcvbuf"}]}
            self.listen(udpListener("u", self.port, ("one", "two")[number % 2], more=more))
            time.sleep(0.05)
        time.sleep(1.5)  # past the drain time: sessions change over
        lost = traffic.finish()
        self.assertEqual(lost, [])
        self.assertGreater(traffic.asked, 50)  # as many as the machine lets it; each swap takes longer than one
        self.assertEqual(traffic.names, {b"one:", b"two:"})

    def test_a_listener_is_added_renamed_and_removed(self):
        self.control.set(LISTENER)
        self.run_sluice()
        self.listen(udpListener("u", self.port, "one"))
        sock = self.client(self.port)
        waitFor(lambda: self.answers(sock, b"one:"), "the listener")
        self.listen(udpListener("v", self.port, "two"))
        waitFor(lambda: self.answers(sock, b"two:"), "the other listener")
        self.listen()
        waitFor(lambda: not self.answers(sock, b"two:"), "the end")
        self.listen(udpListener("u", self.port, "one"))
        waitFor(lambda: self.answers(sock, b"one:"), "the listener again")

    def answers(self, sock, name):
        try:
            sock.settimeout(0.3)
            sock.send(b"x")
            return sock.recv(100) == name + b"x"
        except OSError:
            return False

    def test_a_session_leaves_a_host_that_is_removed(self):
        self.control.set(CLUSTER, cluster("up", self.one.port))
        self.control.set(LISTENER, udpListener("u", self.port))
        self.run_sluice()
        sock = self.client(self.port)
        self.assertEqual(self.ask(sock, b"a"), b"one:a")
        self.control.set(CLUSTER, cluster("up", self.two.port))
        waitFor(lambda: self.ask(sock, b"b") == b"two:b", "the other host")
        self.control.set(CLUSTER)  # the listener names it still
        waitFor(lambda: self.stat("cluster_manager.cluster_removed") == 1, "the removal")
        self.assertEqual(self.ask(sock, b"c"), b"two:c")

    def test_a_bad_listener_is_refused_and_the_old_one_serves(self):
        self.control.set(LISTENER, udpListener("u", self.port, "one"))
        self.run_sluice()
        sock = self.client(self.port)
        self.assertEqual(self.ask(sock, b"a"), b"one:a")
        bad = udpListener("u", self.port, "two")
        bad["listener_filters"] = []
        self.assertIn("a UDP listener needs one", str(self.listen(bad)))
        self.assertEqual(self.ask(sock, b"b"), b"one:b")


if __name__ == "__main__":
    unittest.main()
