"""Bytes that a client should not send, through the binary, and what has to come of them."""
from harness.client import exchange, get
from harness.config import bootstrap, cluster, httpListener, route
from harness.process import SluiceTestCase
from harness.sluice import Sluice
from harness.upstream import HttpUpstream


def head(*fields, line=b"GET / HTTP/1.1", host=b"Host: a.example"):
    lines = [line, *([host] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(*fields, body=b""):
    return head(*fields, line=b"POST / HTTP/1.1") + body


def chunked(body):
    return post(b"Transfer-Encoding: chunked", body=body)


def statuses(answers):
    """Of all responses in these bytes, as far as they go."""
    found, at = [], answers.find(b"HTTP/1.1 ")
    while at >= 0:
        found.append(int(answers[at + 9 : at + 12]))
        at = answers.find(b"HTTP/1.1 ", at + 12)
    return found


class StrictCase(SluiceTestCase):
    def proxy(self, handler=None, upstream=None, routes=None, args=(), cluster_fields=None, **hcm):
        self.upstream = self.start(upstream or HttpUpstream(handler))
        listeners = [httpListener("http", routes or [route("up")], **hcm)]
        clusters = [cluster("up", self.upstream.port, **(cluster_fields or {}))]
        self.sluice = self.start(Sluice(self.scratch, bootstrap(listeners, clusters), args=args))
        self.port = self.sluice.port("http")
        return self.port

    def refused(self, cases):
        """Each (name, bytes, status or statuses): one answer of that status is all that the client gets, then the connection
        ends, and the next request that the upstream sees is one sent afterwards."""
        for number, (name, data, wanted) in enumerate(cases):
            with self.subTest(name):
                answers = exchange(self.port, data)
                self.assertIn(statuses(answers), [[status] for status in (wanted if isinstance(wanted, tuple) else (wanted,))])
                self.assertIn(b"connection: close", answers.lower())
                self.nothingReached(number)

    def nothingReached(self, number):
        self.assertEqual(get(self.port, f"/after/{number}").status, 200)
        self.assertEqual(self.upstream.next().path, f"/after/{number}")

    def taken(self, data):
        """The answers to these bytes and to a request behind them that ends the connection; what the upstream saw."""
        answers = exchange(self.port, data + head(b"Connection: close", line=b"GET /end HTTP/1.1"))
        seen = []
        while not seen or seen[-1].path != "/end":
            seen.append(self.upstream.next())
        return statuses(answers), seen[:-1]
