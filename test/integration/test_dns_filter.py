"""dns_filter asked by dig: names of the table, of clusters, services, and names that others know."""
import json
import os
import re
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, socketAddress  # noqa: E402
from harness.dns import DnsServer  # noqa: E402
from harness.upstream import freePort  # noqa: E402

CARES = TYPE + "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"


def udpAddress(port):
    return {"socket_address": {"protocol": "UDP", "address": "127.0.0.1", "port_value": port}}


def addresses(*ips):
    return {"address_list": {"address": list(ips)}}


class DnsFilterTest(SluiceTestCase):
    def serve(self, table, clusters=(), client_config=None, external=False, env=None):
        self.port = freePort()
        server = {"inline_dns_table": table}
        if external:
            server = {"external_dns_table": {"filename": self.scratch.write("table.json", json.dumps(table))}}
        config = {
            "@type": TYPE + "envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig",
            "stat_prefix": "d",
            "server_config": server,
        }
        if client_config:
            config["client_config"] = client_config
        listener = {
            "name": "dns",
            "address": udpAddress(self.port),
            "listener_filters": [{"name": "envoy.filters.udp.dns_filter", "typed_config": config}],
        }
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], list(clusters)), env=env))

    def dig(self, *words):
        """(status, sorted data of the answer's records)"""
        command = ["dig", "@127.0.0.1", "-p", str(self.port), "+tries=1", "+time=5", "+nocookie", *words]
        text = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
        status = re.search(r"status: (\w+)", text)
        self.assertIsNotNone(status, text)
        answer = re.search(r"ANSWER SECTION:\n(.*?)\n\n", text, re.S)
        records = [line.split(None, 4)[4] for line in answer.group(1).splitlines()] if answer else []
        return status.group(1), sorted(records)

    def forwardTo(self, port, **more):
        resolver = {"@type": CARES, "resolvers": [udpAddress(port)]}
        return {
            "max_pending_lookups": 100,
            "typed_dns_resolver_config": {"name": "envoy.network.dns_resolver.cares", "typed_config": resolver},
            **more,
        }

    def test_names_of_the_table(self):
        domains = [
            {"name": "www.example.com", "endpoint": addresses("10.0.0.1", "10.0.0.2", "2001:db8::1")},
            {"name": "*.apps.example.com", "endpoint": addresses("10.0.0.3")},
        ]
        self.serve({"virtual_domains": domains})
        self.assertEqual(self.dig("www.example.com", "A"), ("NOERROR", ["10.0.0.1", "10.0.0.2"]))
        self.assertEqual(self.dig("WWW.eXample.com", "AAAA"), ("NOERROR", ["2001:db8::1"]))
        self.assertEqual(self.dig("www.example.com", "MX"), ("NOERROR", []))
        self.assertEqual(self.dig("a.b.apps.example.com", "A"), ("NOERROR", ["10.0.0.3"]))
        self.assertEqual(self.dig("none.example.com", "A"), ("NXDOMAIN", []))
        self.assertEqual(self.dig("example.net", "A"), ("NXDOMAIN", []))
        self.assertEqual(self.sluice.stat("dns_filter.d.local_a_record_answers"), 3)
        self.assertEqual(self.sluice.stat("dns_filter.d.downstream_rx_queries"), 6)

    def test_a_table_of_a_file(self):
        self.serve({"virtual_domains": [{"name": "a.example", "endpoint": addresses("10.0.0.9")}]}, external=True)
        self.assertEqual(self.dig("a.example", "A"), ("NOERROR", ["10.0.0.9"]))

    def test_clusters_and_services(self):
        made = cluster("web", socketAddress(8080, "10.1.0.1"), socketAddress(8080, "10.1.0.2"))
        services = [
            {
                "service_name": "web",
                "protocol": {"name": "tcp"},
                "ttl": "60s",
                "targets": [
                    {"host_name": "www.example.com", "priority": 1, "weight": 5, "port": 80},
                    {"cluster_name": "web", "priority": 2, "weight": 1},
                ],
            }
        ]
        domains = [
            {"name": "web.example.com", "endpoint": {"cluster_name": "web"}},
            {"name": "www.example.com", "endpoint": addresses("10.0.0.1")},
            {"name": "example.com", "endpoint": {"service_list": {"services": services}}},
        ]
        self.serve({"virtual_domains": domains}, [made])
        self.assertEqual(self.dig("web.example.com", "A"), ("NOERROR", ["10.1.0.1", "10.1.0.2"]))
        expected = ["1 5 80 www.example.com.", "2 1 8080 web."]
        self.assertEqual(self.dig("_web._tcp.example.com", "SRV"), ("NOERROR", expected))

    def test_many_addresses_fit_what_the_client_takes(self):
        ips = [f"10.0.{i // 200}.{i % 200 + 1}" for i in range(300)]
        self.serve({"virtual_domains": [{"name": "many.example", "endpoint": addresses(*ips)}]})
        status, plain = self.dig("+noedns", "+ignore", "many.example", "A")
        self.assertEqual(status, "NOERROR")
        status, larger = self.dig("+bufsize=4096", "many.example", "A")
        self.assertTrue(25 < len(plain) <= 31 and 70 < len(larger) <= 76, (len(plain), len(larger)))
        self.assertLess(set(larger), set(ips))

    def test_other_names_are_forwarded(self):
        known = {"known.other.org": ["192.0.2.1", "2001:db8::9"], "slow.other.org": "silent"}
        upstream = self.start(DnsServer(known))
        table = {"virtual_domains": [{"name": "www.example.com", "endpoint": addresses("10.0.0.1")}]}
        self.serve(table, client_config=self.forwardTo(upstream.port, resolver_timeout="1s"))
        self.assertEqual(self.dig("known.other.org", "A"), ("NOERROR", ["192.0.2.1"]))
        self.assertEqual(self.dig("known.other.org", "AAAA"), ("NOERROR", ["2001:db8::9"]))
        self.assertEqual(self.dig("none.example.com", "A"), ("NXDOMAIN", []))
        self.assertEqual(self.dig("slow.other.org", "A"), ("SERVFAIL", []))
        self.assertNotIn("none.example.com", upstream.asked)
        self.assertEqual(self.sluice.stat("dns_filter.d.external_a_record_answers"), 1)

    def test_names_are_not_searched_for_below_the_own_domain(self):
        upstream = self.start(DnsServer({"gone.other.org.inside.test": ["10.9.9.9"], "gone.inside.test": ["10.9.9.9"]}))
        table = {"virtual_domains": [{"name": "www.example.com", "endpoint": addresses("10.0.0.1")}]}
        self.serve(table, client_config=self.forwardTo(upstream.port), env={"LOCALDOMAIN": "inside.test"})
        self.assertEqual(self.dig("gone.other.org", "A"), ("NOERROR", []))
        self.assertEqual(self.dig("gone", "A"), ("NOERROR", []))
        self.assertEqual(upstream.asked, ["gone.other.org", "gone"])

    def test_noise_is_survived(self):
        self.serve({"virtual_domains": [{"name": "a.example", "endpoint": addresses("10.0.0.9")}]})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.port))
            for size in range(64):
                sock.send(os.urandom(size))
        self.assertEqual(self.dig("a.example", "A"), ("NOERROR", ["10.0.0.9"]))


if __name__ == "__main__":
    unittest.main()
