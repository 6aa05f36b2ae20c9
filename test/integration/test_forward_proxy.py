"""Hosts that clients name: dynamic_forward_proxy for HTTP and by server name, the DNS cache behind it, and what keeps
names from leading inside."""
import os
import re
import ssl
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, socketAddress, upstreamTls  # noqa: E402
from harness.dns import DnsServer  # noqa: E402
from harness.pki import Authority  # noqa: E402

EXTENSIONS = TYPE + "envoy.extensions."
FILTER = "envoy.filters.http.dynamic_forward_proxy"


def ranges(*texts):
    split = [text.split("/") for text in texts]
    return [{"address_prefix": first, "prefix_len": int(length)} for first, length in split]


def cache(dns, allowed=("127.0.0.1/32",), **more):
    """A cache that asks this server, and may lead to these ranges."""
    cares = {"resolvers": [socketAddress(dns.port)]}
    if allowed:
        kind = TYPE + "sluice.extensions.network.dns_resolver.v1.InternalDnsResolver"
        resolver = {"@type": kind, "allowed_ranges": ranges(*allowed), "cares": cares}
    else:
        resolver = {"@type": EXTENSIONS + "network.dns_resolver.cares.v3.CaresDnsResolverConfig", **cares}
    return {
        "name": "names",
        "dns_lookup_family": "V4_PREFERRED",
        "typed_dns_resolver_config": {"name": "resolver", "typed_config": resolver},
        **more,
    }


def httpFilter(dns_cache):
    kind = EXTENSIONS + "filters.http.dynamic_forward_proxy.v3.FilterConfig"
    return {"name": FILTER, "typed_config": {"@type": kind, "dns_cache_config": dns_cache}}


def anywhere(dns_cache, insecure=False, **more):
    kind = EXTENSIONS + "clusters.dynamic_forward_proxy.v3.ClusterConfig"
    config = {"@type": kind, "dns_cache_config": dns_cache, "allow_insecure_cluster_options": insecure}
    return {
        "name": "anywhere",
        "connect_timeout": "2s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": config},
        **more,
    }


def logging(path):
    return [fileLog(path, "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST%\n")]


class ForwardProxyTestCase(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.dns = self.start(DnsServer())

    def serve(self, dns_cache=None, routes=None, filter_cache=None, wait=True, **more):
        dns_cache = dns_cache or cache(self.dns)
        self.log = self.scratch.join("access.log")
        listener = httpListener("http", routes or [route("anywhere")], filters=[httpFilter(filter_cache or dns_cache)],
                                access_log=logging(self.log))  # fmt: skip
        config = bootstrap([listener], [anywhere(dns_cache, **more)])
        self.sluice = self.start(Sluice(self.scratch, config, wait=wait))
        if wait:
            self.port = self.sluice.port("http")

    def get(self, host, **more):
        return get(self.port, host=host, **more)

    def cacheStat(self, name):
        return self.sluice.stat("dns_cache.names." + name)

    def logged(self, pattern, host=r"\S+"):
        """The last entry of the access log looks like this, and went to that host."""

        def matches():
            with open(self.log) as file:
                lines = file.read().splitlines()
            return lines and re.fullmatch(pattern + " " + host, lines[-1])

        waitFor(matches, f"an entry of the access log like {pattern}")


class HttpTest(ForwardProxyTestCase):
    def test_a_request_goes_to_the_host_that_it_names(self):
        first = self.start(HttpUpstream(lambda request: Reply(body=b"first " + request.header("host").encode())))
        second = self.start(HttpUpstream(lambda request: Reply(body=b"second")))
        self.dns.names = {"first.test": ["127.0.0.1"], "second.test": ["127.0.0.1"]}
        self.serve()

        for _ in range(3):
            answer = self.get(f"First.test:{first.port}")
            self.assertEqual((answer.status, answer.body), (200, f"first First.test:{first.port}".encode()))
        self.assertEqual(self.get(f"second.test:{second.port}").body, b"second")

        self.assertEqual(self.dns.asked, ["first.test", "second.test"])
        self.assertEqual(first.connections, 1)
        self.assertEqual(self.cacheStat("num_hosts"), 2)
        self.assertEqual(self.sluice.stat("cluster.anywhere.membership_total"), 2)

    def test_a_route_may_name_another_host(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(body=request.header("host").encode())))
        self.dns.names = {"inner.test": ["127.0.0.1"]}
        kind = EXTENSIONS + "filters.http.dynamic_forward_proxy.v3.PerRouteConfig"
        rewrite = {"@type": kind, "host_rewrite_literal": f"inner.test:{upstream.port}"}
        self.serve(routes=[{**route("anywhere"), "typed_per_filter_config": {FILTER: rewrite}}])

        self.assertEqual(self.get("outer.test").body, f"inner.test:{upstream.port}".encode())

    def test_names_that_are_none_are_answered_503(self):
        self.serve()
        answer = self.get("none.test")
        self.assertEqual((answer.status, answer.body), (503, b"DNS resolution failure"))
        self.logged(r"503 DF dns_resolution_failure\{\S+\}")
        asked = len(self.dns.asked)
        self.assertEqual(self.get("none.test").status, 503)
        self.assertEqual(len(self.dns.asked), asked)

    def test_a_dns_that_is_silent_holds_nobody_for_long(self):
        self.dns.names = {"a.test": "silent"}
        self.serve(cache(self.dns, dns_query_timeout="0.3s"))
        self.assertEqual(self.get("a.test").status, 503)
        self.logged(r"503 DF dns_resolution_failure\{resolve_timeout\}")
        self.assertEqual(self.cacheStat("dns_query_timeout"), 1)

    def test_a_client_that_goes_while_it_waits_leaves_its_place(self):
        self.dns.names = {"a.test": "silent"}
        self.serve(cache(self.dns, dns_cache_circuit_breaker={"max_pending_requests": 1}))
        waiting = rawConnection(self.port)
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        waitFor(lambda: self.cacheStat("circuit_breakers.rq_pending_open") == 1, "the request to wait")
        self.assertEqual(self.get("b.test").status, 503)
        self.logged("503 - dynamic_forward_proxy_pending_request_overflow")
        waiting.close()
        waitFor(lambda: self.cacheStat("circuit_breakers.rq_pending_open") == 0, "its place to be free")
        self.get("b.test")
        self.logged(r"503 DF dns_resolution_failure\{\S+\}")

    def test_there_are_no_more_names_than_may_be(self):
        upstream = self.start(HttpUpstream())
        self.dns.names = {"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]}
        self.serve(cache(self.dns, max_hosts=1))
        self.assertEqual(self.get(f"none.test:{upstream.port}").status, 503)
        self.assertEqual(self.get(f"a.test:{upstream.port}").status, 200)
        self.assertEqual(self.get(f"b.test:{upstream.port}").status, 503)
        self.logged("503 - dns_cache_overflow")
        self.assertEqual(self.cacheStat("host_overflow"), 1)
        self.assertEqual(self.get(f"a.test:{upstream.port}").status, 200)


class InsideTest(ForwardProxyTestCase):
    """Nothing but what is allowed inside is reached, whatever the way to it is called."""

    def setUp(self):
        super().setUp()
        self.upstream = self.start(HttpUpstream(address=("0.0.0.0", 0)))

    def refused(self, host):
        answer = self.get(f"{host}:{self.upstream.port}")
        self.assertEqual(answer.status, 403, host)
        self.logged(r"403 - dns_address_refused\{\S+\}")

    def test_the_machine_and_its_network_are_not_reached(self):
        self.dns.names = {"loopback.test": ["127.0.0.1"], "any.test": ["0.0.0.0"], "cloud.test": ["169.254.169.254"],
                          "mapped.test": ["::ffff:127.0.0.1"], "private.test": ["10.0.0.1", "192.168.0.1"]}  # fmt: skip
        self.serve(cache(self.dns, allowed=()))
        for host in ("127.0.0.1", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]",
                     "169.254.169.254", "[fe80::1]", "[64:ff9b::7f00:1]", "localhost", *self.dns.names):  # fmt: skip
            self.refused(host)
        # Other ways to write an address are no addresses, and names that the DNS does not have.
        for host in ("2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1.", "[::1%25lo]"):
            answer = self.get(f"{host}:{self.upstream.port}")
            self.assertIn(answer.status, (400, 403, 503), host)
        self.assertEqual(self.upstream.connections, 0)
        self.assertGreater(self.cacheStat("internal_address_refused"), 10)

    def test_a_name_that_is_bound_anew_does_not_lead_where_it_may_not(self):
        self.dns.names = {"flip.test": ["127.0.0.1"]}
        self.serve(cache(self.dns, dns_min_refresh_rate="1s"))
        self.assertEqual(self.get(f"flip.test:{self.upstream.port}").status, 200)
        self.dns.names = {"flip.test": ["127.0.0.2"]}

        waitFor(lambda: self.cacheStat("internal_address_refused") >= 1, "the name to be asked for again")

        self.assertEqual(self.get(f"flip.test:{self.upstream.port}").status, 200)
        self.logged("200 - via_upstream", f"127.0.0.1:{self.upstream.port}")

    def test_a_filter_takes_addresses_out_of_answers(self):
        self.dns.names = {"a.test": ["127.0.0.1", "127.0.0.3"], "b.test": ["127.0.0.3"]}
        filtered = {"ranges": ranges("127.0.0.3/32")}
        self.serve(cache(self.dns, allowed=("127.0.0.0/8",), resolved_address_filter=filtered))
        for _ in range(4):
            self.assertEqual(self.get(f"a.test:{self.upstream.port}").status, 200)
        self.assertEqual(self.get(f"b.test:{self.upstream.port}").status, 403)
        self.assertEqual(self.cacheStat("dns_address_filter_out"), 2)


class TlsTest(ForwardProxyTestCase):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.scratch.join("pki"))

    def secureUpstream(self, *names):
        """Answers with the server name that it was asked for."""
        files = self.ca.issue(names[0], ",".join("DNS:" + name for name in names))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["certificate_chain"]["filename"], files["private_key"]["filename"])
        seen = []
        context.sni_callback = lambda sock, name, _context: seen.append(name)

        def serve(sock, _number):
            with context.wrap_socket(sock, server_side=True) as secure:
                while secure.recv(65536):
                    body = str(seen[-1]).encode()
                    secure.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

        return self.start(RawUpstream(serve))

    def socket(self):
        return upstreamTls({"validation_context": {"trusted_ca": {"filename": self.ca.cert("ca")}}})

    def test_a_host_has_to_be_the_one_that_was_named(self):
        upstream = self.secureUpstream("right.test")
        self.dns.names = {"right.test": ["127.0.0.1"], "wrong.test": ["127.0.0.1"]}
        self.serve(transport_socket=self.socket())

        answer = self.get(f"right.test:{upstream.port}")
        self.assertEqual((answer.status, answer.body), (200, b"right.test"))
        self.assertEqual(self.get(f"wrong.test:{upstream.port}").status, 503)
        self.assertEqual(self.sluice.stat("cluster.anywhere.ssl.fail_verify_san"), 1)

    def test_tls_that_verifies_nobody_is_refused(self):
        self.serve(transport_socket=upstreamTls(), wait=False)
        self.assertNotEqual(self.sluice.waitForExit(), 0)
        self.assertIn("any server is believed to be the host that was asked for", self.sluice.log())

    def test_tls_without_the_name_is_refused(self):
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        typed = {options: {"@type": TYPE + options, "explicit_http_config": {"http_protocol_options": {}}}}
        self.serve(transport_socket=self.socket(), typed_extension_protocol_options=typed, wait=False)
        self.assertNotEqual(self.sluice.waitForExit(), 0)
        self.assertIn("set auto_sni and auto_san_validation", self.sluice.log())

    def test_connections_go_on_by_their_server_name(self):
        upstream = self.secureUpstream("a.test")
        self.dns.names = {"a.test": ["127.0.0.1"], "inside.test": ["127.0.0.2"]}
        self.servePassthrough(upstream.port)

        with self.handshake("a.test") as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
            self.assertEqual(readResponse(secure).body, b"a.test")
        for host in ("inside.test", "none.test"):
            with self.assertRaises(OSError):
                self.handshake(host)
        self.assertEqual(upstream.connections, 1)
        self.assertEqual(self.cacheStat("internal_address_refused"), 1)

    def servePassthrough(self, port):
        names = cache(self.dns)
        kind = EXTENSIONS + "filters.network."
        filters = [
            {"name": "sni", "typed_config": {
                "@type": kind + "sni_dynamic_forward_proxy.v3.FilterConfig", "port_value": port,
                "dns_cache_config": names}},
            {"name": "tcp", "typed_config": {
                "@type": kind + "tcp_proxy.v3.TcpProxy", "stat_prefix": "t", "cluster": "anywhere"}},
        ]  # fmt: skip
        inspector = EXTENSIONS + "filters.listener.tls_inspector.v3.TlsInspector"
        listener = {"name": "tls", "address": socketAddress(0), "filter_chains": [{"filters": filters}],
                    "listener_filters": [{"name": "i", "typed_config": {"@type": inspector}}]}  # fmt: skip
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [anywhere(names)])))
        self.port = self.sluice.port("tls")

    def handshake(self, name):
        context = ssl.create_default_context(cafile=self.ca.cert("ca"))
        return context.wrap_socket(rawConnection(self.port), server_hostname=name)


class ConfigurationTest(ForwardProxyTestCase):
    def test_caches_of_one_name_have_the_same_settings(self):
        self.serve(cache(self.dns), filter_cache=cache(self.dns, max_hosts=7), wait=False)
        self.assertNotEqual(self.sluice.waitForExit(), 0)
        self.assertIn("the DNS cache 'names' has other settings elsewhere", self.sluice.log())


if __name__ == "__main__":
    unittest.main()
