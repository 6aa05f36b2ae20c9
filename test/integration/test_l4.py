"""Connections that are no HTTP: tcp_proxy and the network filters in front of it, echo, direct_response, PROXY protocol
to upstreams, and TLS passed through by server name."""
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client  # noqa: E402
from harness.config import socketAddress  # noqa: E402
from harness.pki import contentOf  # noqa: E402
from harness.upstream import freePort, readRequest  # noqa: E402

NETWORK = "type.googleapis.com/envoy.extensions.filters.network."


def networkFilter(kind, **fields):
    return {"name": kind, "typed_config": {"@type": NETWORK + kind, **fields}}


def tcpProxy(cluster_name="up", **fields):
    fields.setdefault("stat_prefix", "t")
    if "weighted_clusters" not in fields:
        fields["cluster"] = cluster_name
    return networkFilter("tcp_proxy.v3.TcpProxy", **fields)


def tcpListener(name, *filters, **more):
    return {"name": name, "address": socketAddress(0), "filter_chains": [{"filters": list(filters)}], **more}


def readAll(sock):
    data = bytearray()
    while True:
        piece = sock.recv(65536)
        if not piece:
            return bytes(data)
        data += piece


def echoThenTotal(sock, _number):
    """Sends back what comes; at the client's end says how much it was."""
    total = 0
    while True:
        piece = sock.recv(65536)
        if not piece:
            break
        total += len(piece)
        sock.sendall(piece)
    sock.sendall(b"total %d" % total)


class TcpTestCase(SluiceTestCase):
    def serve(self, *filters, script=echoThenTotal, clusters=None, listeners=None, **sluice):
        self.upstream = self.start(RawUpstream(script))
        config = bootstrap(
            listeners or [tcpListener("t", *(filters or [tcpProxy()]))], clusters or [cluster("up", self.upstream.port)]
        )
        self.sluice = self.start(Sluice(self.scratch, config, **sluice))
        return self.sluice.port("t")

    def connect(self, port):
        sock = rawConnection(port)
        sock.settimeout(10)
        self.addCleanup(sock.close)
        return sock

    def memory(self):
        with open(f"/proc/{self.sluice.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024


class TcpProxyTest(TcpTestCase):
    def test_each_direction_ends_by_itself(self):
        sock = self.connect(self.serve())
        sock.sendall(b"question")
        self.assertEqual(sock.recv(100), b"question")

        sock.shutdown(socket.SHUT_WR)

        self.assertEqual(readAll(sock), b"total 8")

    def test_the_end_of_the_upstream_leaves_the_client_its_turn(self):
        seen = []

        def script(sock, _number):
            sock.sendall(b"bye")
            sock.shutdown(socket.SHUT_WR)
            seen.append(readAll(sock))

        sock = self.connect(self.serve(script=script))
        self.assertEqual(readAll(sock), b"bye")

        sock.sendall(b"the last word")
        sock.close()

        waitFor(lambda: seen == [b"the last word"], "the upstream to hear the client out")

    def test_big_transfers_both_ways_to_slow_readers_hold_little_memory(self):
        size = 48 << 20
        started = threading.Event()

        def script(sock, _number):
            def send():
                sock.sendall(b"d" * size)
                sock.shutdown(socket.SHUT_WR)

            threading.Thread(target=send, daemon=True).start()
            started.wait()
            self.received = len(readAll(sock))

        sock = self.connect(self.serve(script=script))
        sock.settimeout(60)
        sock.sendall(b"u")
        before = self.memory()
        sender = threading.Thread(target=lambda: (sock.sendall(b"u" * size), sock.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()
        held = 0
        deadline = time.monotonic() + 1.5  # nobody reads: what the proxy takes now it has to keep
        while time.monotonic() < deadline:
            held = max(held, self.memory() - before)
            time.sleep(0.1)
        self.assertLess(held, 8 << 20)

        started.set()
        self.assertEqual(len(readAll(sock)), size)
        sender.join(20)
        waitFor(lambda: getattr(self, "received", 0) == size + 1, "the upstream to get all")
        self.assertLess(self.memory() - before, 16 << 20)

    def test_an_upstream_that_is_killed_ends_the_connection(self):
        killed = threading.Event()

        def script(sock, _number):
            sock.sendall(b"x" * 100000)
            killed.wait()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

        sock = self.connect(self.serve(script=script))
        got = 0
        while got < 100000:
            got += len(sock.recv(65536))
        killed.set()

        try:
            self.assertEqual(sock.recv(10), b"")
        except ConnectionResetError:
            pass
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_cx_active") == 0, "the connection to be forgotten")

    def test_attempts_go_on_to_hosts_that_answer_and_the_log_tells_why_none_did(self):
        log = self.scratch.join("access.log")
        access_log = fileLog(log, "%RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %BYTES_RECEIVED% %BYTES_SENT%\n")
        upstream = self.start(RawUpstream(echoThenTotal))
        clusters = [cluster("up", freePort(), upstream.port), cluster("gone", freePort())]
        listeners = [
            tcpListener("t", tcpProxy(max_connect_attempts=2, access_log=[access_log])),
            tcpListener("none", tcpProxy("gone", access_log=[access_log])),
            tcpListener("missing", tcpProxy("nowhere", access_log=[access_log])),
        ]
        port = self.serve(clusters=clusters, listeners=listeners)
        for _ in range(4):
            sock = self.connect(port)
            sock.sendall(b"hi")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(readAll(sock), b"hitotal 2")
        self.assertEqual(readAll(self.connect(self.sluice.port("none"))), b"")
        self.assertEqual(readAll(self.connect(self.sluice.port("missing"))), b"")

        def lines():
            with open(log, encoding="ascii") as file:
                return file.read().splitlines()

        waitFor(lambda: len(lines()) == 6, "six lines")
        self.assertEqual(sorted(lines()), sorted(["- up 2 9"] * 4 + ["UF,URX gone 0 0", "NC - 0 0"]))

    def test_silence_ends_a_connection_after_the_idle_timeout(self):
        sock = self.connect(self.serve(tcpProxy(idle_timeout="0.3s")))
        sock.sendall(b"x")
        self.assertEqual(sock.recv(10), b"x")

        self.assertEqual(readAll(sock), b"")
        self.assertEqual(self.sluice.stat("tcp.t.idle_timeout"), 1)

    def test_connections_last_until_the_drain_time_is_over(self):
        sock = self.connect(self.serve(args=["--drain-time-s", "1"]))
        sock.sendall(b"one")
        self.assertEqual(sock.recv(10), b"one")

        self.sluice.terminate()
        waitFor(lambda: self.sluice.admin("/ready").status != 200, "readiness to fail")
        sock.sendall(b"two")
        self.assertEqual(sock.recv(10), b"two")

        self.assertEqual(readAll(sock), b"")
        self.sluice.waitForExit()

    def test_connections_share_what_weights_say(self):
        counts = {"a": 0, "b": 0}

        def server(name):
            def script(sock, _number):
                counts[name] += 1
                sock.sendall(name.encode())

            return self.start(RawUpstream(script))

        a, b = server("a"), server("b")
        weighted = {"clusters": [{"name": "a", "weight": 3}, {"name": "b", "weight": 1}]}
        port = self.serve(
            tcpProxy(weighted_clusters=weighted), clusters=[cluster("a", a.port), cluster("b", b.port)]
        )
        for _ in range(200):
            readAll(self.connect(port))

        self.assertEqual(counts["a"] + counts["b"], 200)
        self.assertTrue(110 < counts["a"] < 190, counts)


class GateTest(TcpTestCase):
    def test_connections_beyond_a_limit_are_closed_and_an_end_makes_room(self):
        limit = networkFilter("connection_limit.v3.ConnectionLimit", stat_prefix="l", max_connections=2)
        port = self.serve(limit, tcpProxy(), concurrency=2)
        first, second = self.connect(port), self.connect(port)
        for sock in (first, second):
            sock.sendall(b"x")
            self.assertEqual(sock.recv(10), b"x")

        self.assertEqual(readAll(self.connect(port)), b"")
        self.assertEqual(self.sluice.stat("connection_limit.l.limited_connections"), 1)
        first.close()
        waitFor(lambda: self.sluice.stat("connection_limit.l.active_connections") == 1, "room")

        third = self.connect(port)
        third.sendall(b"x")
        self.assertEqual(third.recv(10), b"x")

    def test_a_bucket_limits_new_connections(self):
        bucket = {"max_tokens": 2, "tokens_per_fill": 1, "fill_interval": "3600s"}
        port = self.serve(
            networkFilter("local_ratelimit.v3.LocalRateLimit", stat_prefix="r", token_bucket=bucket), tcpProxy()
        )
        answers = []
        for _ in range(3):
            sock = self.connect(port)
            try:
                sock.sendall(b"x")
                answers.append(sock.recv(10))
            except OSError:
                answers.append(b"")

        self.assertEqual(answers, [b"x", b"x", b""])

    def rules(self, *names_and_prefixes):
        policies = {
            name: {"permissions": [{"any": True}], "principals": [{"remote_ip": {"address_prefix": prefix, "prefix_len": 8}}]}
            for name, prefix in names_and_prefixes
        }
        return {"action": "DENY", "policies": policies}

    def test_rules_close_connections_and_shadow_rules_count_them(self):
        listeners = [
            tcpListener("t", networkFilter("rbac.v3.RBAC", stat_prefix="t", rules=self.rules(("all", "127.0.0.0"))), tcpProxy()),
            tcpListener(
                "open", networkFilter("rbac.v3.RBAC", stat_prefix="o", shadow_rules=self.rules(("all", "127.0.0.0"))), tcpProxy()
            ),
        ]
        port = self.serve(listeners=listeners)
        self.assertEqual(readAll(self.connect(port)), b"")
        sock = self.connect(self.sluice.port("open"))
        sock.sendall(b"x")

        self.assertEqual(sock.recv(10), b"x")
        self.assertEqual(self.sluice.stat("t.rbac.denied"), 1)
        self.assertEqual(self.sluice.stat("o.rbac.shadow_denied"), 1)

    def test_a_matcher_decides_about_connections(self):
        by_address = {"@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput"}
        action = {"@type": "type.googleapis.com/envoy.config.rbac.v3.Action", "name": "here", "action": "ALLOW"}
        tree = {
            "input": {"name": "ip", "typed_config": by_address},
            "exact_match_map": {"map": {"127.0.0.1": {"action": {"name": "allow", "typed_config": action}}}},
        }
        other = {**tree, "exact_match_map": {"map": {"127.0.0.2": {"action": {"name": "allow", "typed_config": action}}}}}
        self.serve(
            listeners=[
                tcpListener("t", networkFilter("rbac.v3.RBAC", stat_prefix="t", matcher={"matcher_tree": tree}), tcpProxy()),
                tcpListener("o", networkFilter("rbac.v3.RBAC", stat_prefix="o", matcher={"matcher_tree": other}), tcpProxy()),
            ]
        )
        sock = self.connect(self.sluice.port("t"))
        sock.sendall(b"x")

        self.assertEqual(sock.recv(10), b"x")
        self.assertEqual(readAll(self.connect(self.sluice.port("o"))), b"")
        self.assertEqual(self.sluice.stat("o.rbac.denied"), 1)

    def test_filters_stand_in_front_of_http_too(self):
        listener = httpListener("h", [directResponse(200, "hi")])
        chain = listener["filter_chains"][0]["filters"]
        chain.insert(0, networkFilter("connection_limit.v3.ConnectionLimit", stat_prefix="l", max_connections=1, delay="0.2s"))
        self.serve(listeners=[tcpListener("t", tcpProxy()), listener])
        port = self.sluice.port("h")
        sock = self.connect(port)
        sock.sendall(client.requestBytes("GET", "/"))
        self.assertEqual(readResponse(sock).status, 200)

        began = time.monotonic()
        refused = self.connect(port)
        refused.sendall(client.requestBytes("GET", "/"))
        self.assertEqual(readAll(refused), b"")
        self.assertGreater(time.monotonic() - began, 0.15)
        sock.close()
        waitFor(lambda: self.sluice.stat("connection_limit.l.active_connections") == 0, "room")

        self.assertEqual(get(port).status, 200)

    def test_echo_and_direct_response_need_no_cluster(self):
        listeners = [
            tcpListener("t", networkFilter("echo.v3.Echo")),
            tcpListener("d", networkFilter("direct_response.v3.Config", response={"inline_string": "gone\n"})),
        ]
        port = self.serve(listeners=listeners)
        sock = self.connect(port)
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)

        self.assertEqual(readAll(sock), b"hello")
        self.assertEqual(readAll(self.connect(self.sluice.port("d"))), b"gone\n")


class TunnelingTest(TcpTestCase):
    """tcp_proxy through an HTTP proxy: one that is scripted, and another of us that ends the tunnel."""

    def through(self, script, **tunnel):
        self.requests = []

        def proxy(sock, number):
            source = client.reader(sock)
            self.requests.append(readRequest(source, number))
            script(sock, source)

        return self.serve(tcpProxy(tunneling_config={"hostname": "target.example:443", **tunnel}), script=proxy)

    def test_a_connect_carries_the_bytes_and_nothing_before_it_is_accepted(self):
        seen = []

        def accept(sock, source):
            sock.settimeout(0.3)
            try:
                seen.append(sock.recv(100))
            except (TimeoutError, socket.timeout):
                seen.append(None)
            sock.settimeout(10)
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nwelcome")
            echoThenTotal(sock, 0)

        headers = [{"header": {"key": "x-client", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}]
        sock = self.connect(self.through(accept, headers_to_add=headers))
        sock.sendall(b"question")
        sock.shutdown(socket.SHUT_WR)

        self.assertEqual(readAll(sock), b"welcomequestiontotal 8")
        self.assertEqual(seen, [None])
        request = self.requests[0]
        self.assertEqual((request.method, request.path), ("CONNECT", "target.example:443"))
        self.assertEqual(request.header("x-client"), "127.0.0.1")

    def test_a_refused_tunnel_closes_the_connection(self):
        sock = self.connect(self.through(lambda sock, source: sock.sendall(b"HTTP/1.1 403 no\r\ncontent-length: 6\r\n\r\nsecret")))

        self.assertEqual(readAll(sock), b"")
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_active") == 0, "the request to be over")

    def test_the_end_of_the_host_leaves_the_client_its_turn(self):
        heard = []

        def script(sock, source):
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nbye")
            sock.shutdown(socket.SHUT_WR)
            heard.append(readAll(sock))

        sock = self.connect(self.through(script))
        self.assertEqual(readAll(sock), b"bye")
        sock.sendall(b"the last word")
        sock.close()

        waitFor(lambda: heard == [b"the last word"], "the upstream to hear the client out")

    def ending(self, **upgrade):
        """Another of us, where tunnels end."""
        self.upstream = self.start(RawUpstream(echoThenTotal))
        action = {"cluster": "up", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": upgrade}]}
        matches = [{"connect_matcher": {}}, {"path": "/tunnel"}]
        listener = httpListener("http", [{"match": match, "route": action} for match in matches])
        proxy = self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", self.upstream.port)])))
        return proxy.port("http")

    def exchange(self, **tunnel):
        listener = tcpListener("t", tcpProxy(tunneling_config={"hostname": "target.example:443", **tunnel}))
        upstream = cluster("up", self.ending(allow_post=True), **HTTP2)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [upstream])))
        for _ in range(3):
            sock = self.connect(self.sluice.port("t"))
            sock.sendall(b"x" * 300_000)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(readAll(sock), b"x" * 300_000 + b"total 300000")
        waitFor(lambda: self.sluice.stat("cluster.up.upstream_rq_active") == 0, "the tunnels to be over")
        self.assertEqual(self.sluice.stat("cluster.up.upstream_cx_http2_total"), 1)

    def test_tunnels_are_streams_of_one_connection_over_http2(self):
        self.exchange()

    def test_a_post_carries_the_bytes_where_that_is_asked_for(self):
        self.exchange(use_post=True, post_path="/tunnel")


def internalListener(name, *filters):
    return {"name": name, "internal_listener": {}, "filter_chains": [{"filters": list(filters)}]}


class InternalListenerTest(TcpTestCase):
    """Endpoints that are listeners of the same process."""

    INNER = {"envoy_internal_address": {"server_listener_name": "inner", "endpoint_id": "one"}}

    def test_a_request_goes_through_a_listener_without_a_socket(self):
        upstream = self.start(HttpUpstream())
        inner = httpListener("inner", [route("up")])
        del inner["address"]
        inner["internal_listener"] = {}
        config = bootstrap(
            [httpListener("outer", [route("inner"), route("up")]), inner],
            [cluster("inner", self.INNER), cluster("up", upstream.port)],
        )
        kind = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
        config["bootstrap_extensions"] = [{"name": "i", "typed_config": {"@type": kind, "buffer_size_kb": 64}}]
        proxy = self.start(Sluice(self.scratch, config, concurrency=2))

        for _ in range(20):
            self.assertEqual(get(proxy.port("outer"), "/x").status, 200)

        self.assertEqual(proxy.stat("listener.envoy_internal_inner.downstream_cx_total"), proxy.stat("cluster.inner.upstream_cx_total"))
        self.assertEqual(proxy.stat("http.inner.downstream_rq_2xx"), 20)
        self.assertIn("envoy://inner/one::", proxy.admin("/clusters").body.decode())
        self.assertIn("envoy://inner/", proxy.admin("/listeners").body.decode())
        clusters = proxy.adminJson("/clusters?format=json")["cluster_statuses"]
        addresses = [status["host_statuses"][0]["address"] for status in clusters if status["name"] == "inner"]
        self.assertEqual(addresses, [self.INNER])

    def test_bytes_go_through_it_in_both_directions_to_their_ends(self):
        upstream = self.start(RawUpstream(echoThenTotal))
        config = bootstrap(
            [tcpListener("t", tcpProxy("inner")), internalListener("inner", tcpProxy("up"))],
            [cluster("inner", self.INNER), cluster("up", upstream.port)],
        )
        proxy = self.start(Sluice(self.scratch, config))
        sock = self.connect(proxy.port("t"))
        payload = os.urandom(4 << 20)
        sender = threading.Thread(target=lambda: (sock.sendall(payload), sock.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()

        self.assertEqual(readAll(sock), payload + b"total %d" % len(payload))
        sender.join(10)

    def test_it_serves_what_comes_while_the_process_drains_and_does_not_hold_it_up(self):
        upstream = self.start(HttpUpstream())
        config = bootstrap(
            [httpListener("outer", [route("inner")]), internalListener("inner", tcpProxy("up"))],
            [cluster("inner", self.INNER), cluster("up", upstream.port)],
        )
        proxy = self.start(Sluice(self.scratch, config, args=["--drain-time-s", "60"]))
        sock = self.connect(proxy.port("outer"))
        waitFor(lambda: proxy.stat("http.outer.downstream_cx_active") == 1, "the connection")

        proxy.terminate()
        waitFor(lambda: proxy.admin("/ready").status != 200, "readiness to fail")
        sock.sendall(client.requestBytes("GET", "/"))

        self.assertEqual(readResponse(sock).status, 200)
        began = time.monotonic()
        self.assertEqual(proxy.waitForExit(), 0)
        self.assertLess(time.monotonic() - began, 20)

    def test_one_that_leads_to_itself_ends_whether_it_carries_bytes_or_requests(self):
        config = bootstrap(
            [tcpListener("t", tcpProxy("inner")), internalListener("inner", tcpProxy("inner"))],
            [cluster("inner", self.INNER)],
        )
        proxy = self.start(Sluice(self.scratch, config))

        self.connect(proxy.port("t"))
        waitFor(lambda: proxy.stat("cluster.inner.upstream_cx_connect_fail") == 1, "the end of the chain")
        self.assertEqual(proxy.stat("listener.envoy_internal_inner.downstream_cx_total"), 16)

        inner = httpListener("inner", [route("inner")])
        del inner["address"]
        inner["internal_listener"] = {}
        config = bootstrap([httpListener("outer", [route("inner")]), inner], [cluster("inner", self.INNER)])
        proxy = self.start(Sluice(self.scratch, config))
        self.assertEqual(get(proxy.port("outer")).status, 508)
        self.assertEqual(proxy.stat("http.inner.downstream_rq_total"), 16)

    def test_tunnels_that_lead_to_themselves_end(self):
        action = {"cluster": "inner", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}
        ends = httpListener("ends", [{"match": {"connect_matcher": {}}, "route": action}])
        del ends["address"]
        ends["internal_listener"] = {}
        tunnel = tcpProxy("ends", tunneling_config={"hostname": "target.example:443"})
        config = bootstrap(
            [tcpListener("t", tcpProxy("inner")), internalListener("inner", tunnel), ends],
            [cluster("inner", self.INNER), cluster("ends", {"envoy_internal_address": {"server_listener_name": "ends"}})],
        )
        proxy = self.start(Sluice(self.scratch, config))

        self.assertEqual(readAll(self.connect(proxy.port("t"))), b"")
        self.assertEqual(proxy.stat("cluster.inner.upstream_cx_connect_fail"), 1)
        self.assertEqual(proxy.stat("http.ends.downstream_rq_total"), 8)

    def test_a_listener_that_is_not_there_is_a_failed_connection(self):
        log = self.scratch.join("access.log")
        access_log = fileLog(log, "%RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n")
        outer = httpListener("outer", [route("inner")], access_log=[access_log])
        proxy = self.start(Sluice(self.scratch, bootstrap([outer], [cluster("inner", self.INNER)])))

        self.assertEqual(get(proxy.port("outer")).status, 503)
        self.assertEqual(proxy.stat("cluster.inner.upstream_cx_connect_fail"), 1)
        waitFor(lambda: contentOf(log), "the line")
        self.assertIn("there_is_no_internal_listener_'inner'", contentOf(log))


class ProxyProtocolTest(TcpTestCase):
    def header(self, version):
        heard = []

        def script(sock, _number):
            heard.append(sock.recv(1000))
            sock.sendall(b"ok")

        transport = {
            "name": "p",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3"
                ".ProxyProtocolUpstreamTransport",
                "config": {"version": version},
                "transport_socket": {
                    "name": "r",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"},
                },
            },
        }
        upstream = self.start(RawUpstream(script))
        port = self.serve(clusters=[cluster("up", upstream.port, transport_socket=transport)])
        sock = self.connect(port)
        client_port = sock.getsockname()[1]
        self.assertEqual(sock.recv(10), b"ok")
        return heard[0], client_port, port

    def test_version_1_tells_the_client_in_text(self):
        heard, client_port, port = self.header("V1")

        self.assertEqual(heard, b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (client_port, port))

    def test_version_2_tells_the_client_in_binary(self):
        heard, client_port, port = self.header("V2")

        addresses = socket.inet_aton("127.0.0.1") * 2
        ports = client_port.to_bytes(2, "big") + port.to_bytes(2, "big")
        self.assertEqual(heard, b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + addresses + ports)


class PassthroughTest(TcpTestCase):
    """TLS to two servers that the proxy cannot look into, by the name in the ClientHello."""

    def server(self, name):
        key, certificate = self.scratch.join(name + ".key"), self.scratch.join(name + ".pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
            + ["-out", certificate, "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def script(sock, _number):
            with context.wrap_socket(sock, server_side=True) as secure:
                secure.sendall(b"this is " + name.encode())

        return self.start(RawUpstream(script)).port

    def hear(self, port, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.scratch.join(name + ".pem"))
        with context.wrap_socket(self.connect(port), server_hostname=name) as secure:
            return readAll(secure)

    def test_the_server_name_decides_where_connections_go(self):
        clusters = [cluster(name, self.server(name)) for name in ("a.example", "b.example")]
        inspector = {
            "name": "tls_inspector",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
            },
        }
        listener = tcpListener(
            "t", networkFilter("sni_cluster.v3.SniCluster"), tcpProxy("a.example"), listener_filters=[inspector]
        )
        port = self.serve(clusters=clusters, listeners=[listener])

        self.assertEqual(self.hear(port, "b.example"), b"this is b.example")
        self.assertEqual(self.hear(port, "a.example"), b"this is a.example")
        answer = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "b.example", "-quiet"],
            input=b"",
            capture_output=True,
            timeout=20,
        )
        self.assertIn(b"this is b.example", answer.stdout)


if __name__ == "__main__":
    unittest.main()
