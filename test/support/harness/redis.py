"""Debian's redis-server as a process, and a client that says exactly what it is told."""
import os
import socket

from harness.process import Process, waitFor
from harness.upstream import freePort


class RedisError(str):
    """An error that a server answered with."""


class RedisClient:
    """One connection. Answers are bytes, numbers, lists, None or RedisError."""

    def __init__(self, port, timeout=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.sock.makefile("rb")

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, *words):
        self.raw(encode(*words))

    def raw(self, data):
        self.sock.sendall(data)

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the connection ended behind {line!r}")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"*":
            return [self.answer() for _ in range(size)]
        return self.file.read(size + 2)[:-2]


def encode(*words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(out)


class RedisServer(Process):
    """Keeps nothing on disk but what a cluster's node has to."""

    def __init__(self, scratch, *args, port=None):
        # 10,000 above it is that of a cluster's bus, which has to stay below outgoing connections, too.
        self.port = port or freePort(end=22000)
        folder = scratch.join(f"redis-{self.port}")
        os.makedirs(folder, exist_ok=True)
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__([*command, "--dir", folder, *args], scratch, f"redis-{self.port}")
        waitFor(self._answers, f"redis-server on port {self.port}")

    def _answers(self):
        self.mustRun()
        client = RedisClient(self.port)
        answer = client.ask("PING")
        client.close()
        return answer == b"PONG" or isinstance(answer, RedisError)

    def ask(self, *words):
        client = RedisClient(self.port)
        try:
            return client.ask(*words)
        finally:
            client.close()

    def stop(self):
        self.kill()


def makeCluster(servers, replicas=0):
    """Makes nodes (`--cluster-enabled yes`) a Redis Cluster: the first of them share the slots, the last `replicas`
    follow the first ones."""
    primaries = servers[: len(servers) - replicas]
    for index, server in enumerate(primaries):
        first = 16384 * index // len(primaries)
        last = 16384 * (index + 1) // len(primaries)
        server.ask("CLUSTER", "ADDSLOTS", *range(first, last))
        server.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
    for server in servers[1:]:
        server.ask("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
    waitFor(lambda: all(knownNodes(each) == len(servers) for each in servers), "the nodes to know each other", 30)
    for follower, primary in zip(servers[len(primaries) :], primaries):
        follower.ask("CLUSTER", "REPLICATE", primary.ask("CLUSTER", "MYID"))
    waitFor(lambda: all(isWhole(each, primaries, replicas) for each in servers), "the cluster to be whole", 30)


def knownNodes(server):
    return len(server.ask("CLUSTER", "NODES").splitlines())


def isWhole(server, primaries, replicas):
    slots = server.ask("CLUSTER", "SLOTS")
    followers = sum(len(entry) - 3 for entry in slots)
    whole = b"cluster_state:ok" in server.ask("CLUSTER", "INFO")
    return whole and len(slots) == len(primaries) and followers == replicas
