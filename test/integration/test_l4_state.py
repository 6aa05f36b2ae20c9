"""What goes with a connection beside its bytes: filter state, metadata handed over to internal listeners, addresses, and
proxies on the way to hosts."""
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import mmdb  # noqa: E402
from harness.config import TYPE, socketAddress  # noqa: E402
from harness.pki import contentOf  # noqa: E402
from harness.sluice import runTool  # noqa: E402
from harness.upstream import freePort  # noqa: E402

NETWORK = TYPE + "envoy.extensions.filters.network."
SOCKETS = TYPE + "envoy.extensions.transport_sockets."
PLAIN = {"name": "r", "typed_config": {"@type": SOCKETS + "raw_buffer.v3.RawBuffer"}}
INNER = {"envoy_internal_address": {"server_listener_name": "inner"}}


def typed(kind, **fields):
    return {"name": kind, "typed_config": {"@type": kind, **fields}}


def tcpProxy(cluster_name="up", **fields):
    return typed(NETWORK + "tcp_proxy.v3.TcpProxy", stat_prefix="t", cluster=cluster_name, **fields)


def state(key, text, **more):
    format_string = {"text_format_source": {"inline_string": text}, "omit_empty_values": True}
    return {"object_key": key, "format_string": format_string, **more}


def setConnectionState(*values):
    return typed(NETWORK + "set_filter_state.v3.Config", on_new_connection=list(values))


def setRequestState(*values):
    kind = TYPE + "envoy.extensions.filters.http.set_filter_state.v3.Config"
    return {"name": "set", "typed_config": {"@type": kind, "on_request_headers": list(values)}}


def listener(name, *filters, **more):
    return {"name": name, "address": socketAddress(0), "filter_chains": [{"filters": list(filters)}], **more}


def inner(*filters, **more):
    return {"name": "inner", "internal_listener": {}, "filter_chains": [{"filters": list(filters)}], **more}


def handingOver(*metadata):
    sources = [{"kind": {kind: {}}, "name": name} for kind, name in metadata]
    return typed(
        SOCKETS + "internal_upstream.v3.InternalUpstreamTransport", passthrough_metadata=sources, transport_socket=PLAIN
    )


def echo(sock, _number):
    while data := sock.recv(65536):
        sock.sendall(data)


class StateTestCase(SluiceTestCase):
    def run_proxy(self, listeners, clusters):
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, clusters)))

    def talk(self, name="t", text=b"hello"):
        sock = rawConnection(self.sluice.port(name))
        sock.settimeout(10)
        self.addCleanup(sock.close)
        sock.sendall(text)
        got = b""
        while len(got) < len(text):
            piece = sock.recv(1000)
            if not piece:
                break
            got += piece
        sock.close()
        return got

    def refusal(self, config):
        path = self.scratch.write("bad.json", json.dumps(config))
        code, output = runTool("sluice", "-c", path, "--mode", "validate")
        self.assertNotEqual(code, 0)
        return output

    def logged(self, path):
        waitFor(lambda: contentOf(path), "the line")
        return contentOf(path).splitlines()


class FilterStateTest(StateTestCase):
    def test_a_connection_names_its_cluster_and_requests_begin_with_what_it_has(self):
        raw, web = self.start(RawUpstream(echo)), self.start(HttpUpstream())
        log = self.scratch.join("access.log")
        http = httpListener("web", [route("web")], access_log=[fileLog(log, "%FILTER_STATE(envoy.string:PLAIN)%\n")])
        http["filter_chains"][0]["filters"].insert(0, setConnectionState(state("envoy.string", "of the connection")))
        cluster_state = state("envoy.tcp_proxy.cluster", "up")
        self.run_proxy(
            [listener("t", setConnectionState(cluster_state), tcpProxy("nowhere")), http],
            [cluster("up", raw.port), cluster("nowhere", freePort()), cluster("web", web.port)],
        )

        self.assertEqual(self.talk(), b"hello")
        self.assertEqual(get(self.sluice.port("web")).status, 200)

        self.assertEqual(self.logged(log), ["of the connection"])

    def test_a_connection_knows_where_its_client_is(self):
        raw, web = self.start(RawUpstream(echo)), self.start(HttpUpstream())
        known = {"127.0.0.0/8": {"country": {"iso_code": "AQ"}, "city": {"names": {"en": "Ice Town"}}}}
        maxmind = typed(
            TYPE + "envoy.extensions.geoip_providers.maxmind.v3.MaxMindConfig",
            city_db_path=self.scratch.write("city.mmdb", mmdb.database(known)),
            common_provider_config={"geo_field_keys": {"country": "country", "city": "city"}},
        )
        geoip = typed(NETWORK + "geoip.v3.Geoip", provider=maxmind, stat_prefix="edge.")
        tcp_log, http_log = self.scratch.join("tcp.log"), self.scratch.join("http.log")
        http = httpListener("web", [route("web")], access_log=[fileLog(http_log, "%FILTER_STATE(envoy.geoip:FIELD:city)%\n")])
        http["filter_chains"][0]["filters"].insert(0, geoip)
        logs = [fileLog(tcp_log, "%FILTER_STATE(envoy.geoip)%\n")]
        self.run_proxy(
            [listener("t", geoip, tcpProxy(access_log=logs)), http], [cluster("up", raw.port), cluster("web", web.port)]
        )

        self.assertEqual(self.talk(), b"hello")
        self.assertEqual(get(self.sluice.port("web")).status, 200)

        self.assertEqual(self.logged(http_log), ["Ice Town"])
        self.assertEqual(json.loads(json.loads('"' + self.logged(tcp_log)[0] + '"')), {"city": "Ice Town", "country": "AQ"})
        self.assertEqual(self.sluice.stats("edge.")["edge.geoip.total"], 2)
        self.assertEqual(self.sluice.stats("edge.")["edge.maxmind.city_db.hit"], 2)

    def test_a_route_goes_by_what_a_filter_set(self):
        a, b = self.start(HttpUpstream(lambda _: Reply(body=b"a"))), self.start(HttpUpstream(lambda _: Reply(body=b"b")))
        matcher = {"key": "tenant", "string_match": {"exact": "blue"}}
        routes = [route("b", match={"prefix": "/", "filter_state": [matcher]}), route("a")]
        filters = [setRequestState(state("tenant", "%REQ(x-tenant)%", factory_key="envoy.string"))]
        filters[0]["typed_config"]["clear_route_cache"] = True
        self.run_proxy([httpListener("web", routes, filters=filters)], [cluster("a", a.port), cluster("b", b.port)])

        answers = [get(self.sluice.port("web"), headers=[("x-tenant", who)]).body for who in ("red", "blue")]

        self.assertEqual(answers, [b"a", b"b"])

    def test_kinds_that_do_not_exist_are_refused_with_their_place(self):
        config = bootstrap([listener("t", setConnectionState(state("mine", "x")), tcpProxy())], [cluster("up", 1)])

        refused = self.refusal(config)

        self.assertIn("on_new_connection[0].object_key", refused)
        self.assertIn("means nothing to the proxy", refused)


class HandingOverTest(StateTestCase):
    def test_where_a_host_really_is_goes_with_the_connection(self):
        upstream = self.start(RawUpstream(echo))
        through = cluster("inner", INNER, transport_socket=handingOver(("host", "envoy.filters.listener.original_dst")))
        local = {"local": f"127.0.0.1:{upstream.port}"}
        through["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["metadata"] = {
            "filter_metadata": {"envoy.filters.listener.original_dst": local}
        }
        original = {"name": "original", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "2s"}
        original_dst = typed(TYPE + "envoy.extensions.filters.listener.original_dst.v3.OriginalDst")
        self.run_proxy(
            [listener("t", tcpProxy("inner")), inner(tcpProxy("original"), listener_filters=[original_dst])],
            [through, original],
        )

        self.assertEqual(self.talk(), b"hello")

    def test_requests_with_different_objects_never_share_a_connection(self):
        upstream = self.start(HttpUpstream())
        log = self.scratch.join("access.log")
        objects = [
            state("user", "%REQ(x-user)%", factory_key="envoy.string", shared_with_upstream="ONCE"),
            state("own", "secret", factory_key="envoy.string"),
        ]
        text = "%FILTER_STATE(user:PLAIN)% %FILTER_STATE(own:PLAIN)% %DYNAMIC_METADATA(place:k)%"
        through = cluster("inner", INNER, transport_socket=handingOver(("cluster", "place"), ("host", "none")))
        through["metadata"] = {"filter_metadata": {"place": {"k": "v"}}}
        innerWeb = httpListener("inner", [route("up")], access_log=[fileLog(log, text + "\n")])
        del innerWeb["address"]
        innerWeb["internal_listener"] = {}
        self.run_proxy(
            [
                httpListener("web", [route("inner")], filters=[setRequestState(*objects)]),
                innerWeb,
            ],
            [through, cluster("up", upstream.port)],
        )

        for user in ("ann", "bob", "ann"):
            self.assertEqual(get(self.sluice.port("web"), headers=[("x-user", user)]).status, 200)
        self.assertEqual(self.sluice.stat("cluster.inner.upstream_cx_total"), 2)
        self.assertEqual(self.sluice.stat("cluster.inner.internal_upstream.no_metadata"), 2)
        waitFor(lambda: len(contentOf(log).splitlines()) == 3, "the lines")

        self.assertEqual(sorted(self.logged(log)), ["ann - v", "ann - v", "bob - v"])


class ConnectProxyTest(StateTestCase):
    """Hosts behind an HTTP/1.1 proxy."""

    def proxy(self, answer):
        self.asked = []

        def script(sock, number):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += sock.recv(1) or self.fail("the connection ended in the middle of a request")
            self.asked.append(head)
            sock.sendall(answer)
            if b" 200 " in answer:
                echo(sock, number)

        return self.start(RawUpstream(script))

    def through(self, port=None, **more):
        default = {"default_proxy_address": socketAddress(port)} if port else {}
        transport = typed(
            SOCKETS + "http_11_proxy.v3.Http11ProxyUpstreamTransport", transport_socket=PLAIN, **default
        )
        host = {"socket_address": {"address": "192.0.2.7", "port_value": 4433}}
        return cluster("up", host, transport_socket=transport, **more)

    def test_connections_are_tunnels_to_the_hosts_address(self):
        proxy = self.proxy(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
        self.run_proxy([listener("t", tcpProxy())], [self.through(proxy.port)])

        self.assertEqual(self.talk(text=b"x" * 5000), b"x" * 5000)

        self.assertEqual(self.asked, [b"CONNECT 192.0.2.7:4433 HTTP/1.1\r\nHost: 192.0.2.7:4433\r\n\r\n"])

    def test_a_host_names_its_own_proxy(self):
        proxy = self.proxy(b"HTTP/1.1 200 OK\r\n\r\n")
        through = self.through(freePort())
        named = {"@type": TYPE + "envoy.config.core.v3.Address", **socketAddress(proxy.port)}
        through["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["metadata"] = {
            "typed_filter_metadata": {"envoy.http11_proxy_transport_socket.proxy_address": named}
        }
        self.run_proxy([listener("t", tcpProxy())], [through])

        self.assertEqual(self.talk(), b"hello")

    def test_a_refusal_is_a_failed_connection_and_the_log_says_why(self):
        proxy = self.proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        log = self.scratch.join("access.log")
        text = "%RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON%"
        self.run_proxy([httpListener("web", [route("up")], access_log=[fileLog(log, text + "\n")])], [self.through(proxy.port)])

        self.assertEqual(get(self.sluice.port("web")).status, 503)

        self.assertTrue(self.logged(log)[0].startswith("UF the_proxy_answered_CONNECT_with_status_403"), self.logged(log))

    def test_typed_metadata_that_nobody_reads_is_refused(self):
        config = bootstrap([listener("t", tcpProxy())], [self.through()])
        hosts = config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
        hosts[0]["metadata"] = {
            "typed_filter_metadata": {"envoy.other": {"@type": TYPE + "envoy.config.core.v3.Address", **socketAddress(1)}}
        }

        self.assertIn("is for an extension of Envoy that does not read it here", self.refusal(config))


LISTENER_FILTERS = TYPE + "envoy.extensions.filters.listener."


class OriginalSourceTest(StateTestCase):
    """Loopback addresses need no privilege."""

    def setUp(self):
        super().setUp()
        self.heard = []
        self.web = self.start(RawUpstream(self.answer))

    def answer(self, sock, _number):
        self.heard.append(sock.getpeername()[0])
        while sock.recv(65536):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def test_requests_come_from_the_address_of_their_client(self):
        source = typed(TYPE + "envoy.extensions.filters.http.original_src.v3.OriginalSrc")
        web = httpListener("web", [route("up")], filters=[source], use_remote_address=False)
        self.run_proxy([web], [cluster("up", self.web.port)])

        for client in ("127.0.0.5", "127.0.0.6", "127.0.0.5"):
            self.assertEqual(get(self.sluice.port("web"), headers=[("x-forwarded-for", client)]).status, 200)

        self.assertEqual(self.heard, ["127.0.0.5", "127.0.0.6"])

    def test_tunnels_that_end_here_come_from_there_too(self):
        source = typed(TYPE + "envoy.extensions.filters.http.original_src.v3.OriginalSrc")
        action = {"cluster": "up", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}
        tunnels = [{"match": {"connect_matcher": {}}, "route": action}]
        web = httpListener("web", tunnels, filters=[source], use_remote_address=False)
        self.run_proxy([web], [cluster("up", self.web.port)])

        sock = rawConnection(self.sluice.port("web"))
        sock.settimeout(10)
        self.addCleanup(sock.close)
        sock.sendall(b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\nX-Forwarded-For: 127.0.0.8\r\n\r\nhello")
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 200"))
        waitFor(lambda: self.heard, "the connection of the tunnel")

        self.assertEqual(self.heard, ["127.0.0.8"])

    def test_connections_come_from_the_address_that_the_header_told(self):
        proxy = typed(LISTENER_FILTERS + "proxy_protocol.v3.ProxyProtocol")
        source = typed(LISTENER_FILTERS + "original_src.v3.OriginalSrc")
        self.run_proxy([listener("t", tcpProxy(), listener_filters=[proxy, source])], [cluster("up", self.web.port)])

        sock = rawConnection(self.sluice.port("t"))
        self.addCleanup(sock.close)
        sock.sendall(b"PROXY TCP4 127.0.0.7 127.0.0.1 1234 80\r\nhello")
        sock.settimeout(10)
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 200"))

        self.assertEqual(self.heard, ["127.0.0.7"])

    def test_without_the_privilege_the_log_says_what_is_missing(self):
        log = self.scratch.join("access.log")
        source = typed(TYPE + "envoy.extensions.filters.http.original_src.v3.OriginalSrc", mark=7)
        logs = [fileLog(log, "%UPSTREAM_TRANSPORT_FAILURE_REASON%\n")]
        web = httpListener("web", [route("up")], filters=[source], access_log=logs)
        self.run_proxy([web], [cluster("up", self.web.port)])

        status = get(self.sluice.port("web")).status
        if status == 200:
            self.skipTest("this process may set marks (CAP_NET_ADMIN), so nothing is missing")

        self.assertEqual(status, 503)
        self.assertIn("CAP_NET_ADMIN", self.logged(log)[0])


class TlvTest(StateTestCase):
    def test_a_tlv_is_metadata_of_the_requests(self):
        web = self.start(HttpUpstream())
        log = self.scratch.join("access.log")
        rule = {"tlv_type": 0xEA, "on_tlv_present": {"key": "endpoint"}}
        proxy = typed(LISTENER_FILTERS + "proxy_protocol.v3.ProxyProtocol", rules=[rule])
        text = "%DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:endpoint)%"
        http = httpListener("web", [route("web")], access_log=[fileLog(log, text + "\n")])
        self.run_proxy([{**http, "listener_filters": [proxy]}], [cluster("web", web.port)])

        sock = rawConnection(self.sluice.port("web"))
        self.addCleanup(sock.close)
        addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + b"\x04\xd2\x00\x50"
        tlv = b"\xea\x00\x06vpce-1"
        size = (len(addresses) + len(tlv)).to_bytes(2, "big")
        sock.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + size + addresses + tlv)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")

        self.assertEqual(readResponse(sock).status, 200)
        self.assertEqual(self.logged(log), ["vpce-1"])


    def test_tlvs_go_on_to_hosts(self):
        heard = []

        def script(sock, _number):
            heard.append(sock.recv(1000))
            sock.sendall(b"ok")

        upstream = self.start(RawUpstream(script))
        chosen = {"match_type": "INCLUDE", "tlv_type": [0xEA]}
        proxy = typed(LISTENER_FILTERS + "proxy_protocol.v3.ProxyProtocol", pass_through_tlvs={})
        kind = SOCKETS + "proxy_protocol.v3.ProxyProtocolUpstreamTransport"
        header = typed(kind, config={"version": "V2", "pass_through_tlvs": chosen}, transport_socket=PLAIN)
        self.run_proxy(
            [listener("t", tcpProxy(), listener_filters=[proxy])],
            [cluster("up", upstream.port, transport_socket=header)],
        )

        sock = rawConnection(self.sluice.port("t"))
        sock.settimeout(10)
        self.addCleanup(sock.close)
        addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.2") + b"\x04\xd2\x00\x50"
        tlvs = b"\xe1\x00\x01x\xea\x00\x06vpce-1"
        beginning = b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
        sock.sendall(beginning + (len(addresses) + len(tlvs)).to_bytes(2, "big") + addresses + tlvs)

        self.assertEqual(sock.recv(10), b"ok")
        self.assertEqual(heard, [beginning + (len(addresses) + 9).to_bytes(2, "big") + addresses + tlvs[4:]])


class AddressLimitTest(StateTestCase):
    def test_one_address_cannot_take_the_places_of_others(self):
        upstream = self.start(RawUpstream(echo))
        kind = TYPE + "sluice.extensions.filters.listener.address_limit.v1.AddressLimit"
        limit = typed(kind, stat_prefix="edge", max_connections=2)
        self.run_proxy([listener("t", tcpProxy(), listener_filters=[limit])], [cluster("up", upstream.port)])

        def served(source):
            sock = socket.create_connection(("127.0.0.1", self.sluice.port("t")), 10, source_address=(source, 0))
            self.addCleanup(sock.close)
            try:
                sock.sendall(b"x")
                return sock if sock.recv(1) == b"x" else None
            except ConnectionError:
                return None

        first, second = served("127.0.0.5"), served("127.0.0.5")
        self.assertTrue(first and second)
        self.assertIsNone(served("127.0.0.5"))
        self.assertTrue(served("127.0.0.6"))
        self.assertEqual(self.sluice.stat("address_limit.edge.refused"), 1)

        first.close()
        waitFor(lambda: served("127.0.0.5"), "the place of the first one")


class MultipathTest(StateTestCase):
    def test_a_listener_speaks_it_or_the_start_fails_with_the_reason(self):
        upstream = self.start(RawUpstream(echo))
        listeners = [listener("t", tcpProxy(), enable_mptcp=True)]
        try:
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
        except OSError:
            path = self.scratch.write("mptcp.json", json.dumps(bootstrap(listeners, [cluster("up", upstream.port)])))
            code, output = runTool("sluice", "-c", path)
            self.assertNotEqual(code, 0)
            self.assertIn("the kernel has no Multipath TCP here", output)
            return
        self.run_proxy(listeners, [cluster("up", upstream.port)])

        self.assertEqual(self.talk(), b"hello")

    def test_a_unix_socket_has_one_path_only(self):
        unix = listener("t", tcpProxy(), enable_mptcp=True)
        unix["address"] = {"pipe": {"path": self.scratch.join("t.sock")}}

        self.assertIn("enable_mptcp", self.refusal(bootstrap([unix], [cluster("up", 1)])))


class RefusedTest(StateTestCase):
    def test_what_is_refused_on_purpose_says_why(self):
        starttls = typed(SOCKETS + "starttls.v3.UpstreamStartTlsConfig")

        refused = self.refusal(bootstrap([listener("t", tcpProxy())], [cluster("up", 1, transport_socket=starttls)]))

        self.assertIn("UpstreamStartTlsConfig is Envoy's and not supported: only filters that speak", refused)


if __name__ == "__main__":
    unittest.main()
