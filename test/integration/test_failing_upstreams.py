"""Upstreams that fail at large: what three tiers of proxies ask of them, and what clients see while hosts are killed."""
import asyncio
import collections
import os
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, endpoint, socketAddress  # noqa: E402
from harness.load import Connection  # noqa: E402
from harness.upstream import freePort  # noqa: E402

PREVIOUS_PRIORITIES = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": {
        "@type": TYPE + "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        "update_frequency": 1,
    },
}


class FailingLeaf(asyncio.Protocol):
    """Answers every request 503 after a while, and counts them."""

    arrived = 0
    open = set()

    def __init__(self, wait_s):
        self.wait_s = wait_s

    def connection_made(self, transport):
        self.transport = transport
        FailingLeaf.open.add(transport)
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            _, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            FailingLeaf.arrived += 1
            answer = b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nbad"
            asyncio.get_running_loop().call_later(self.wait_s, self.transport.write, answer)


async def flood(port, clients, requests):
    """So many clients, each with its next request as soon as the one before is answered; the answers by status, and their
    headers' names."""
    loop = asyncio.get_running_loop()
    statuses, names = collections.Counter(), set()

    async def client():
        _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        for _ in range(requests):
            status, headers, _, _, _ = await connection.ask(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            statuses[status] += 1
            names.update(headers)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return statuses, names


class AmplificationTest(SluiceTestCase):
    CLIENTS = 150
    REQUESTS = 20

    def tier(self, port, **hcm):
        """A proxy that retries what is behind it, within the budget that there is by default."""
        policy = {"retry_on": "5xx", "num_retries": 3, "retry_back_off": {"base_interval": "0.1s"}}
        listener = httpListener("http", [route("up", retry_policy=policy)], **hcm)
        return self.start(Sluice(self.scratch, bootstrap([listener], [cluster("up", port)])))

    @staticmethod
    async def measure(leaf_socket, port, clients, requests):
        leaf = await asyncio.get_running_loop().create_server(lambda: FailingLeaf(0.05), sock=leaf_socket, backlog=1024)
        statuses, names = await flood(port, clients, requests)
        leaf.close()
        for transport in FailingLeaf.open:
            transport.abort()
        return statuses, names

    def test_three_tiers_ask_a_leaf_that_fails_for_at_most_a_fifth_more(self):
        FailingLeaf.arrived = 0
        leaf = socket.create_server(("127.0.0.1", 0))
        last = self.tier(leaf.getsockname()[1])
        middle = self.tier(last.port("http"))
        first = self.tier(middle.port("http"), use_remote_address=True)

        statuses, names = asyncio.run(self.measure(leaf, first.port("http"), self.CLIENTS, self.REQUESTS))

        offered = self.CLIENTS * self.REQUESTS
        self.assertEqual(statuses, {503: offered})
        retried = [tier.stat("cluster.up.upstream_rq_retry") for tier in (first, middle, last)]
        told = f"{FailingLeaf.arrived} arrived of {offered}; retries from the edge on: {retried}"
        print(told, flush=True)
        self.assertEqual(retried[:2], [0, 0], told)  # what the last one says holds for all in front of it
        self.assertGreater(retried[2], 0, told)
        self.assertEqual(FailingLeaf.arrived, offered + retried[2], told)
        self.assertLessEqual(FailingLeaf.arrived, 1.2 * offered, told)
        self.assertNotIn("x-sluice-retry-refused", names)  # nobody's business outside


class Clients:
    """A few that ask without a pause on threads, until stop(); `answers` counts (status, body)."""

    def __init__(self, port, count=3):
        self.answers = collections.Counter()
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(port,), daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self, port):
        while not self.stopped.is_set():
            try:
                answer = get(port)
                found = (answer.status, answer.body)
            except (OSError, EOFError) as error:
                found = (0, repr(error))
            with self.lock:
                self.answers[found] += 1

    def next(self, count=40):
        """The answers from now on, that many of them."""
        with self.lock:
            before = self.answers.copy()
        waitFor(lambda: sum(self.answers.values()) >= sum(before.values()) + count, "answers", 20)
        with self.lock:
            return self.answers - before

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


class FailoverTest(SluiceTestCase):
    def host(self, name, status=200, port=0):
        """Is fine by its checks, whatever else it answers."""

        def answer(request):
            return Reply(200 if request.path == "/up" else status, name.encode())

        return self.start(HttpUpstream(answer, address=("127.0.0.1", port)))

    def serve(self, priorities, policy):
        """A cluster of hosts by priority, checked."""
        check = {"timeout": "1s", "interval": "0.05s", "no_traffic_interval": "0.05s", "healthy_threshold": 1,
                 "unhealthy_threshold": 2, "http_health_check": {"path": "/up"}}  # fmt: skip
        up = cluster("up", health_checks=[check])
        up["load_assignment"]["endpoints"] = [
            {"priority": priority, "lb_endpoints": [endpoint(host.port) for host in hosts]}
            for priority, hosts in enumerate(priorities)
        ]
        config = bootstrap([httpListener("http", [route("up", retry_policy=policy)])], [up])
        self.sluice = self.start(Sluice(self.scratch, config, concurrency=2))
        return self.sluice.port("http")

    def test_clients_do_not_notice_that_the_hosts_of_the_first_priority_are_killed(self):
        ports = [freePort(), freePort()]
        first = [self.host(f"first {i}", port=port) for i, port in enumerate(ports)]
        second = self.host("second")
        port = self.serve([first, [second]], {"retry_on": "connect-failure,reset", "num_retries": 5})
        clients = self.start(Clients(port))
        every_first = {(200, b"first 0"), (200, b"first 1")}
        self.assertEqual(set(clients.next()), every_first)

        first[0].stop()
        waitFor(lambda: (200, b"second") in clients.next(), "a share for the second priority")  # 140% of a half stay
        first[1].stop()
        waitFor(lambda: set(clients.next()) == {(200, b"second")}, "all at the second priority")
        for i, port in enumerate(ports):
            self.host(f"first {i}", port=port)
        waitFor(lambda: set(clients.next()) == every_first, "all at the first priority again")

        clients.stop()
        self.assertEqual({status for status, _ in clients.answers}, {200}, clients.answers)

    def test_a_retry_leaves_a_priority_that_only_its_checks_find_well(self):
        first = [self.host("first", status=503), self.host("first", status=503)]
        policy = {"retry_on": "5xx", "num_retries": 1, "retry_priority": PREVIOUS_PRIORITIES}
        port = self.serve([first, [self.host("second")]], policy)

        answers = {(answer.status, answer.body) for answer in (get(port) for _ in range(30))}

        self.assertEqual(answers, {(200, b"second")})
        self.assertEqual(self.sluice.stat("cluster.up.upstream_rq_retry_success"), 30)


class AddressesTest(SluiceTestCase):
    """A host with several addresses, of which some lead nowhere."""

    def silent(self):
        """A port at which connecting goes on for ever: its queue is full."""
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        return server.getsockname()[1]

    def serve(self, *ports):
        """One host, at all these ports."""
        host = endpoint(ports[0])
        host["endpoint"]["additional_addresses"] = [{"address": socketAddress(port)} for port in ports[1:]]
        up = cluster("up")
        up["load_assignment"]["endpoints"] = [{"lb_endpoints": [host]}]
        proxy = {"@type": TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "t", "cluster": "up"}
        tcp = {"name": "tcp", "address": socketAddress(0),
               "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}]}  # fmt: skip
        config = bootstrap([httpListener("http", [route("up")]), tcp], [up])
        self.sluice = self.start(Sluice(self.scratch, config))

    def test_connections_go_to_the_first_address_that_takes_them(self):
        host = self.start(HttpUpstream(lambda request: Reply(200, b"here")))
        self.serve(self.silent(), freePort(), host.port)

        for listener in ("http", "tcp"):
            answer = get(self.sluice.port(listener))
            self.assertEqual((answer.status, answer.body), (200, b"here"))
        stats = self.sluice.stats("cluster.up.")
        self.assertEqual(stats["cluster.up.upstream_cx_connect_fail"], 0)
        self.assertEqual(stats["cluster.up.upstream_cx_connect_timeout"], 0)

    def test_a_host_none_of_whose_addresses_answers_fails_once(self):
        self.serve(freePort(), freePort())

        self.assertEqual(get(self.sluice.port("http")).status, 503)
        self.assertEqual(self.sluice.stat("cluster.up.upstream_cx_connect_fail"), 1)


if __name__ == "__main__":
    unittest.main()
