"""Which filter chain a connection gets, and what listener filters find out before: SNI, HTTP versions, PROXY protocol."""
import functools
import os
import resource
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import client, config  # noqa: E402
from harness.ads import CLUSTER, LISTENER, AdsServer  # noqa: E402
from harness.upstream import freePort  # noqa: E402

FILTER = config.TYPE + "envoy.extensions.filters.listener."
TLS_INSPECTOR = {"name": "tls", "typed_config": {"@type": FILTER + "tls_inspector.v3.TlsInspector"}}
HTTP_INSPECTOR = {"name": "http", "typed_config": {"@type": FILTER + "http_inspector.v3.HttpInspector"}}
V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxyProtocol(**fields):
    return {"name": "proxy", "typed_config": {"@type": FILTER + "proxy_protocol.v3.ProxyProtocol", **fields}}


def trustedProxyProtocol(*peers, **fields):
    ranges = [{"address_prefix": peer, "prefix_len": 32} for peer in peers]
    kind = config.TYPE + "sluice.extensions.filters.listener.proxy_protocol.v1.TrustedProxyProtocol"
    return {"name": "proxy", "typed_config": {"@type": kind, "trusted_peers": ranges, "proxy_protocol": fields}}


def answers(text, **match):
    """A chain that answers every request with this text."""
    http10 = {"accept_http_10": True}
    chain = httpListener(text, [directResponse(200, text)], http_protocol_options=http10)["filter_chains"][0]
    return {"filter_chain_match": match, "name": text, **chain}


def passes(cluster_name, **match):
    """A chain that passes bytes to a cluster."""
    kind = config.TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    proxy = {"@type": kind, "stat_prefix": cluster_name, "cluster": cluster_name}
    return {"filter_chain_match": match, "filters": [{"name": "tcp", "typed_config": proxy}]}


def listener(chains, filters=(), **more):
    return {
        "name": "in",
        "address": config.socketAddress(0),
        "stat_prefix": "in",
        "filter_chains": chains,
        "listener_filters": list(filters),
        **more,
    }


class TlsUpstream:
    """Says its name to whoever shakes hands; its certificate is made on the spot."""

    def __init__(self, scratch, name):
        key, certificate = scratch.join(name + ".key"), scratch.join(name + ".pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subprocess.run([*command, "-keyout", key, "-out", certificate, "-subj", f"/CN={name}"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.name = name.encode()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(self.name)
        except OSError:
            pass

    def stop(self):
        self.socket.close()


def clientContext():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class ListenerTestCase(SluiceTestCase):
    def serve(self, chains, filters=(), clusters=None, **more):
        # One cluster is needed for a configuration that only answers by itself, too.
        clusters = clusters or [config.cluster("unused", 1)]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener(chains, filters, **more)], clusters)))
        statuses = self.sluice.adminJson("/listeners?format=json")["listener_statuses"]
        ports = [status["local_address"]["socket_address"]["port_value"] for status in statuses if "socket_address" in status["local_address"]]
        self.port = ports[0]

    def connect(self, source="127.0.0.1"):
        sock = socket.create_connection(("127.0.0.1", self.port), 10, source_address=(source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(sock.close)
        return sock

    def ask(self, before=b"", source="127.0.0.1", version="1.1"):
        """The body of an answer, after these bytes first; None if the connection is closed instead."""
        sock = self.connect(source)
        try:
            sock.sendall(before + f"GET / HTTP/{version}\r\nHost: test.example\r\n\r\n".encode())
            return readResponse(sock).body.decode()
        except (EOFError, ConnectionError):
            return None

    def waitForStat(self, name, value=1):
        waitFor(lambda: self.sluice.stat(name) == value, f"{name} to be {value}")


class ChainMatchTest(ListenerTestCase):
    def test_the_source_decides_where_nothing_in_front_of_it_does(self):
        second = {"address_prefix": "127.0.0.2", "prefix_len": 32}
        chains = [answers("any"), answers("second", source_prefix_ranges=[second]), answers("external", source_type="EXTERNAL")]

        self.serve(chains)

        self.assertEqual(self.ask(), "any")
        self.assertEqual(self.ask(source="127.0.0.2"), "second")

    def test_without_a_match_the_connection_is_closed_or_gets_the_default_chain(self):
        never = answers("never", destination_port=1)
        self.serve([never])

        self.assertIsNone(self.ask())

        self.waitForStat("listener.in.no_filter_chain_match")
        self.serve([never], default_filter_chain=answers("default"))
        self.assertEqual(self.ask(), "default")

    def test_the_http_version_decides(self):
        old = answers("old", application_protocols=["http/1.0"])
        new = answers("new", application_protocols=["http/1.1"])
        self.serve([old, new, answers("other")], [HTTP_INSPECTOR])

        self.assertEqual(self.ask(), "new")
        self.assertEqual(self.ask(version="1.0"), "old")
        self.assertEqual(self.sluice.stat("http_inspector.http10_found"), 1)


class TlsInspectorTest(ListenerTestCase):
    def setUp(self):
        super().setUp()
        self.a, self.b = (self.start(TlsUpstream(self.scratch, name)) for name in ("a", "b"))
        clusters = [config.cluster("a", self.a.port), config.cluster("b", self.b.port)]
        chains = [
            passes("a", server_names=["www.a.test"]),
            passes("b", server_names=["*.a.test", "b.test"]),
            answers("plain", transport_protocol="raw_buffer"),
        ]
        self.serve(chains, [TLS_INSPECTOR], clusters)

    def greeting(self, name):
        with clientContext().wrap_socket(self.connect(), server_hostname=name) as tls:
            return tls.recv(100).decode()

    def test_tls_is_passed_on_by_the_name_that_the_client_asks_for(self):
        self.assertEqual(self.greeting("www.a.test"), "a")
        self.assertEqual(self.greeting("WWW.A.Test"), "a")
        self.assertEqual(self.greeting("x.a.test"), "b")
        self.assertEqual(self.greeting("b.test"), "b")
        self.assertEqual(self.ask(), "plain")
        self.assertEqual(self.sluice.stat("tls_inspector.tls_found"), 4)
        self.assertEqual(self.sluice.stat("tls_inspector.tls_not_found"), 1)

    def test_an_unknown_name_is_closed(self):
        with self.assertRaises(OSError):
            self.greeting("c.test")
        self.waitForStat("listener.in.no_filter_chain_match")

    def test_a_client_hello_that_comes_byte_by_byte_is_understood(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = clientContext().wrap_bio(incoming, outgoing, server_hostname="www.a.test")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        sock = self.connect()

        for i in range(len(hello)):
            sock.sendall(hello[i : i + 1])

        while True:
            incoming.write(sock.recv(65536))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
        sock.sendall(outgoing.read())
        while True:
            try:
                self.assertEqual(tls.read(1), b"a")
                break
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))


class TimeoutTest(ListenerTestCase):
    def test_a_client_that_says_nothing_in_time_is_cut(self):
        self.serve([answers("served")], [HTTP_INSPECTOR], listener_filters_timeout="0.3s")
        silent = self.connect()

        self.assertEqual(silent.recv(1), b"")

        self.assertEqual(self.sluice.stat("listener.in.downstream_pre_cx_timeout"), 1)
        self.assertEqual(self.sluice.stat("listener.in.downstream_pre_cx_active"), 0)

    def test_or_served_as_it_is(self):
        self.serve(
            [answers("served")],
            [HTTP_INSPECTOR],
            listener_filters_timeout="0.3s",
            continue_on_listener_filters_timeout=True,
        )
        slow = self.connect()
        slow.sendall(b"GET / HTT")
        self.waitForStat("listener.in.downstream_pre_cx_timeout")

        slow.sendall(b"P/1.1\r\nHost: a\r\n\r\n")

        self.assertEqual(readResponse(slow).body, b"served")


class ProxyProtocolTest(ListenerTestCase):
    def serveBehind(self, *filters):
        """Upstream requests tell the client's address in x-forwarded-for."""
        self.upstream = self.start(HttpUpstream())
        chains = httpListener("in", [route("up")], use_remote_address=True)["filter_chains"]
        self.serve(chains, filters, [config.cluster("up", self.upstream.port)])

    def client(self, before=b"", source="127.0.0.1"):
        self.assertIsNotNone(self.ask(before, source))
        return self.upstream.next().header("x-forwarded-for")

    def v2(self, source, command=0x21):
        block = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 1234, 443)
        return V2_SIGNATURE + bytes([command, 0x11]) + struct.pack(">H", len(block)) + block

    def test_the_client_of_the_header_is_the_client(self):
        self.serveBehind(proxyProtocol())

        self.assertEqual(self.client(b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\n"), "203.0.113.9")
        self.assertEqual(self.client(self.v2("203.0.113.10")), "203.0.113.10")
        self.assertEqual(self.client(self.v2("203.0.113.10", command=0x20)), "127.0.0.1")
        self.assertEqual(self.client(b"PROXY UNKNOWN\r\n"), "127.0.0.1")
        self.assertEqual(self.sluice.stat("proxy_proto.versions.v1.found"), 2)
        self.assertEqual(self.sluice.stat("proxy_proto.versions.v2.found"), 2)

    def test_malformed_headers_and_none_close_the_connection(self):
        self.serveBehind(proxyProtocol(disallowed_versions=["V1"]))

        cut_tlv = self.v2("203.0.113.9")[:14] + struct.pack(">H", 15) + self.v2("203.0.113.9")[16:] + b"\1\xff\xff"
        unknown_family = V2_SIGNATURE + b"\x21\x41\0\0"
        for before in (b"", cut_tlv, unknown_family, b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\n"):
            with self.subTest(before=before):
                self.assertIsNone(self.ask(before))
        self.assertEqual(self.sluice.stat("proxy_proto.versions.v2.error"), 2)
        self.assertEqual(self.sluice.stat("proxy_proto.versions.v1.disallowed"), 1)
        self.assertEqual(self.sluice.stat("proxy_proto.not_found_disallowed"), 1)
        self.assertEqual(self.sluice.stat("listener.in.downstream_listener_filter_error"), 4)

    def test_connections_without_a_header_may_be_allowed(self):
        self.serveBehind(proxyProtocol(allow_requests_without_proxy_protocol=True))

        self.assertEqual(self.client(), "127.0.0.1")
        self.assertEqual(self.client(self.v2("203.0.113.9")), "203.0.113.9")

    def test_only_listed_peers_are_believed(self):
        self.serveBehind(trustedProxyProtocol("127.0.0.2"))
        header = b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\n"

        self.assertEqual(self.client(header, source="127.0.0.2"), "203.0.113.9")
        self.assertEqual(self.client(source="127.0.0.3"), "127.0.0.3")
        forger = self.connect("127.0.0.3")
        forger.sendall(header + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(readResponse(forger).status, 400)

    def test_the_address_of_the_header_decides_about_the_chain(self):
        told = {"address_prefix": "203.0.113.0", "prefix_len": 24}
        peer = {"address_prefix": "127.0.0.2", "prefix_len": 32}
        self.serve(
            [answers("any"), answers("told", source_prefix_ranges=[told]), answers("peer", direct_source_prefix_ranges=[peer])],
            [proxyProtocol()],
        )

        self.assertEqual(self.ask(self.v2("203.0.113.9")), "told")
        self.assertEqual(self.ask(self.v2("198.51.100.1")), "any")
        self.assertEqual(self.ask(self.v2("198.51.100.1"), source="127.0.0.2"), "peer")

    def test_haproxy_and_curl_are_understood(self):
        self.serveBehind(proxyProtocol())
        for kind in ("send-proxy", "send-proxy-v2"):
            with self.subTest(kind=kind):
                port = freePort()
                text = (
                    "defaults\n mode tcp\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n"
                    f"listen in\n bind 127.0.0.1:{port}\n server up 127.0.0.1:{self.port} {kind}\n"
                )
                path = self.scratch.write(f"{kind}.cfg", text)
                haproxy = Process(["haproxy", "-db", "-f", path], self.scratch, kind)
                self.addCleanup(haproxy.kill)

                def answered():
                    haproxy.mustRun()
                    with socket.create_connection(("127.0.0.1", port), 5, source_address=("127.0.0.9", 0)) as sock:
                        sock.sendall(client.requestBytes("GET", "/"))
                        return readResponse(sock).status == 200

                waitFor(answered, "haproxy to answer")
                self.assertEqual(self.upstream.next().header("x-forwarded-for"), "127.0.0.9")
        code, body = curl("--haproxy-protocol", f"http://127.0.0.1:{self.port}/")
        self.assertEqual(code, 0, body)


class SocketTest(ListenerTestCase):
    def test_a_unix_socket_gets_its_mode_and_further_addresses_work(self):
        path = self.scratch.join("in.sock")
        pipe = {"pipe": {"path": path, "mode": 0o640}}

        self.serve([answers("here")], additional_addresses=[{"address": pipe}])

        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
        self.assertEqual(self.ask(), "here")
        with rawConnection(path) as sock:
            sock.sendall(client.requestBytes("GET", "/"))
            self.assertEqual(readResponse(sock).body, b"here")

    def test_an_option_that_the_kernel_refuses_is_told(self):
        options = [{"description": "nonsense", "level": 1, "name": 9999, "int_value": 1}]
        text = bootstrap([listener([answers("a")], socket_options=options)], [config.cluster("unused", 1)])
        sluice = self.start(Sluice(self.scratch, text, wait=False))

        self.assertNotEqual(sluice.waitForExit(), 0)

        self.assertIn("nonsense", sluice.log())


def originalDst(name="original", **more):
    return {"name": name, "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "2s", **more}


class OriginalDstTest(ListenerTestCase):
    """Clusters whose hosts are where somebody wanted to go."""

    def setUp(self):
        super().setUp()
        self.upstreams = [self.start(HttpUpstream(lambda _, name=name: Reply(200, name))) for name in (b"one", b"two")]

    def serveCluster(self, chain, **more):
        config = bootstrap([listener([chain])], [originalDst(cleanup_interval="0.1s", **more)])
        self.sluice = self.start(Sluice(self.scratch, config, concurrency=2))
        self.port = self.sluice.port("in")

    def ask(self, value=None):
        headers = [] if value is None else [("x-to", value)]
        return client.get(self.port, headers=headers)

    def test_a_header_names_the_host_and_idle_hosts_are_forgotten(self):
        chain = httpListener("in", [route("original")])["filter_chains"][0]
        self.serveCluster(chain, original_dst_lb_config={"use_http_header": True, "http_header_name": "X-To"})

        for upstream, name in zip(self.upstreams * 2, (b"one", b"two") * 2):
            response = self.ask(f"127.0.0.1:{upstream.port}")
            self.assertEqual((response.status, response.body), (200, name))

        self.assertEqual(self.ask("nobody").status, 503)
        self.assertEqual(self.ask().status, 503)
        waitFor(lambda: self.sluice.stat("cluster.original.membership_total") == 0, "the hosts to be forgotten")
        waitFor(lambda: self.sluice.stat("cluster.original.upstream_cx_active") == 0, "their connections to be closed")
        self.assertEqual(self.ask(f"127.0.0.1:{self.upstreams[0].port}").status, 200)

    def test_nothing_goes_round_in_a_circle(self):
        chain = httpListener("in", [route("original")])["filter_chains"][0]
        self.serveCluster(chain, original_dst_lb_config={"use_http_header": True, "http_header_name": "X-To"})

        self.assertEqual(self.ask(f"127.0.0.1:{self.port}").status, 503)

        self.assertEqual(self.sluice.stat("cluster.original.original_dst_host_invalid"), 1)
        self.assertEqual(self.sluice.stat("http.in.downstream_rq_total"), 1)


def ownNetwork(test):
    """Runs the test in a network of its own, where it may do what it likes."""

    @functools.wraps(test)
    def wrapped(self):
        if os.environ.get("SLUICE_TEST_OWN_NETWORK"):
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            return test(self)
        enter = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net"]
        if not shutil.which("iptables"):
            self.skipTest("iptables is not installed")
        if subprocess.run([*enter, "iptables", "-t", "nat", "-L"], capture_output=True).returncode != 0:
            self.skipTest("this machine lets nobody have a network of his own with iptables")
        command = [*enter, sys.executable, __file__, f"{type(self).__name__}.{test.__name__}"]
        inner = subprocess.run(command, env={**os.environ, "SLUICE_TEST_OWN_NETWORK": "1"}, capture_output=True, text=True)
        self.assertEqual(inner.returncode, 0, inner.stdout + inner.stderr)

    return wrapped


class SidecarTest(SluiceTestCase):
    """Connections of an application that the kernel redirects to the proxy beside it."""

    APPLICATION, SERVICE = "10.77.0.2", "10.77.0.1"
    APPLICATION6, SERVICE6 = "fd77::2", "fd77::1"

    def redirect(self, iptables, application, service):
        for address in (application, service):
            subprocess.run(["ip", "address", "add", address, "dev", "lo", "nodad"], check=True)
        rule = ["-p", "tcp", "-s", application, "-d", service, "-j", "REDIRECT", "--to-ports", "15001"]
        subprocess.run([iptables, "-t", "nat", "-A", "OUTPUT", *rule], check=True)

    def setUpNetwork(self):
        self.redirect("iptables", self.APPLICATION, self.SERVICE)
        self.redirect("ip6tables", self.APPLICATION6, self.SERVICE6)
        self.web = self.start(HttpUpstream(lambda _: Reply(200, b"web"), address=(self.SERVICE, 0)))
        self.raw = self.start(RawUpstream(lambda sock, number: sock.sendall(b"raw " + sock.recv(100)), address=(self.SERVICE, 0)))
        front = listener(
            [passes("original")],
            [{"name": "original", "typed_config": {"@type": FILTER + "original_dst.v3.OriginalDst"}}],
            address=config.socketAddress(15001),
            additional_addresses=[{"address": config.socketAddress(15001, "::1")}],
            use_original_dst=True,
        )
        web = httpListener("web", [route("original")], address=config.socketAddress(self.web.port, "0.0.0.0"))
        text = bootstrap([front, {**web, "bind_to_port": False}], [originalDst(cleanup_interval="0.1s")])
        self.sluice = self.start(Sluice(self.scratch, text, concurrency=2))

    def connect(self, host, port):
        source = self.APPLICATION6 if ":" in host else self.APPLICATION
        sock = socket.create_connection((host, port), 5, source_address=(source, 0))
        self.addCleanup(sock.close)
        return sock

    @ownNetwork
    def test_each_connection_goes_where_it_wanted_to(self):
        self.setUpNetwork()

        sock = self.connect(self.SERVICE, self.raw.port)
        sock.sendall(b"bytes")
        self.assertEqual(sock.recv(100), b"raw bytes")
        web = self.connect(self.SERVICE, self.web.port)
        web.sendall(client.requestBytes("GET", "/"))
        self.assertEqual(readResponse(web).body, b"web")

        self.assertEqual(self.web.next().header("x-request-id") is not None, True)
        self.assertEqual(self.sluice.stat("http.web.downstream_rq_total"), 1)
        self.assertEqual(self.sluice.stat("tcp.original.downstream_cx_total"), 1)
        raw6 = self.start(RawUpstream(lambda sock, number: sock.sendall(b"six " + sock.recv(100)), address=(self.SERVICE6, 0)))
        six = self.connect(self.SERVICE6, raw6.port)
        six.sendall(b"bytes")
        self.assertEqual(six.recv(100), b"six bytes")
        for one in (sock, web, six):
            one.close()
        waitFor(lambda: self.sluice.stat("cluster.original.membership_total") == 0, "the hosts to be forgotten")

    @ownNetwork
    def test_a_connection_to_the_proxy_itself_is_closed(self):
        self.setUpNetwork()

        self.assertEqual(self.connect("127.0.0.1", 15001).recv(10), b"")

        self.assertEqual(self.sluice.stat("cluster.original.upstream_cx_total"), 0)


class ConnectionLimitTest(SluiceTestCase):
    def serve(self, concurrency, process=None, runtime=None, **more):
        config_ = bootstrap([listener([answers("a")], **more)], [config.cluster("unused", 1)])
        if process is not None:
            kind = config.TYPE + "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
            monitor = {"@type": kind, "max_active_downstream_connections": process}
            name = "envoy.resource_monitors.global_downstream_max_connections"
            config_["overload_manager"] = {"resource_monitors": [{"name": name, "typed_config": monitor}]}
        if runtime is not None:
            config_["layered_runtime"] = {"layers": [{"name": "static", "static_layer": runtime}]}
        self.sluice = self.start(Sluice(self.scratch, config_, concurrency=concurrency))
        self.port = self.sluice.port("in")

    def serves(self, sock):
        """Whether the connection is served; the sockets that are stay open."""
        try:
            sock.sendall(client.requestBytes("GET", "/"))
            return readResponse(sock).body == b"a"
        except (EOFError, OSError):
            return False

    def served(self, count):
        socks = [rawConnection(self.port) for _ in range(count)]
        for sock in socks:
            self.addCleanup(sock.close)
        return [sock for sock in socks if self.serves(sock)]

    def check(self, stat):
        served = self.served(20)
        self.assertEqual(len(served), 8)
        self.assertEqual(self.sluice.stat(f"listener.in.{stat}"), 12)
        served.pop().close()
        waitFor(lambda: len(self.served(1)) == 1, "room for one more")

    def test_connections_beyond_the_limit_of_the_process_are_closed(self):
        for workers in (1, 4):
            with self.subTest(workers=workers):
                self.serve(workers, process=8)
                self.check("downstream_global_cx_overflow")

    def test_connections_beyond_the_limit_of_a_listener_are_closed(self):
        for workers in (1, 4):
            with self.subTest(workers=workers):
                self.serve(workers, runtime={"envoy": {"resource_limits": {"listener": {"in": {"connection_limit": 8}}}}})
                self.check("downstream_cx_overflow")

    def test_a_listener_may_ignore_the_limit_of_the_process(self):
        self.serve(2, process=1, ignore_global_conn_limit=True)

        self.assertEqual(len(self.served(5)), 5)

    def test_half_of_the_descriptors_is_the_limit_that_nobody_set(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
        try:
            self.serve(2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

        self.assertEqual(len(self.served(110)), 100)
        self.assertEqual(self.sluice.stat("listener.in.downstream_global_cx_overflow"), 10)


class UpdateTest(ListenerTestCase):
    def setUp(self):
        super().setUp()
        self.server = self.start(AdsServer())
        self.fixed = freePort()
        self.server.set(CLUSTER, config.cluster("unused", 1))
        self.push("one")
        self.sluice = self.start(Sluice(self.scratch, config.xdsBootstrap(self.server.port), concurrency=2, wait=False))
        self.port = waitFor(lambda: self.sluice.port("in"), "the listener")
        self.waitForAnswer("one")

    def push(self, text, **more):
        kept = answers("kept", application_protocols=["http/1.0"])
        address = config.socketAddress(self.fixed)
        self.server.set(LISTENER, listener([answers(text), kept], [HTTP_INSPECTOR], address=address, **more))

    def waitForAnswer(self, text):
        def answered():
            self.sluice.mustRun()
            return self.ask() == text

        waitFor(answered, f"the answer {text}")

    def test_connections_that_wait_in_filters_are_served_over_updates(self):
        waiting = [self.connect() for _ in range(40)]
        for sock in waiting:
            sock.sendall(b"GET / HT")
        waitFor(lambda: self.sluice.stat("listener.in.downstream_pre_cx_active") == 40, "all to wait")

        self.push("two")
        self.waitForAnswer("two")
        self.push("three", tcp_keepalive={})  # new sockets
        self.waitForAnswer("three")

        for i, sock in enumerate(waiting):
            sock.sendall(f"TP/1.{i % 2}\r\nHost: a\r\n\r\n".encode())
        bodies = [readResponse(sock).body for sock in waiting]
        self.assertEqual(bodies, [b"kept", b"one"] * 20)

    def test_only_connections_of_the_changed_chain_drain(self):
        # HTTP/1.0 with keep-alive stays open on the chain that does not change.
        old, new = self.connect(), self.connect()
        first = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
        old.sendall(first)
        self.assertEqual(readResponse(old).body, b"kept")
        new.sendall(client.requestBytes("GET", "/"))
        self.assertEqual(readResponse(new).body, b"one")

        self.push("two")
        self.waitForAnswer("two")

        def drained():
            """The worker of this connection may hear of the update behind the one that answered "two"."""
            new.sendall(client.requestBytes("GET", "/"))
            response = readResponse(new)
            self.assertEqual(response.body, b"one")
            return (response.header("connection") or "").lower() == "close"

        waitFor(drained, "the connection of the changed chain to drain")
        old.sendall(first)
        response = readResponse(old)
        self.assertEqual((response.body, (response.header("connection") or "").lower()), (b"kept", "keep-alive"))


if __name__ == "__main__":
    unittest.main()
