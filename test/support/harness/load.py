"""Steady HTTP/1.1 load that misses no failure. A program of its own, so that it never waits for the test's interpreter.

    python3 load.py --target HOST:PORT[,HOST:PORT] --rate 500 [--connections 16] [--mix get=8,post=2] ...

Kinds of work in a mix:
    get      GET, keep-alive
    post     POST with a body of 1 KiB to 64 KiB, by content-length and chunked in turn; the answer must echo its length
             in x-body-length where the upstream gives that header
    stream   GET /stream: a chunked download that takes a while
    idle     a connection that says nothing for --idle-s, then one request on it
    close    one request on a connection of its own

A request fails when the answer is not 2xx, is cut, is late (--timeout-s) or the connection breaks. Nothing is retried:
the one thing that is no failure is a connection that the server closed while no request was on it and before one was
written (counted as `reconnects`), since any client must expect that.

Commands on standard input, one a line: `report` prints the counts since the last report as one line of JSON,
`quit` prints the counts of the whole run and ends.
"""
import argparse
import asyncio
import collections
import itertools
import json
import random
import sys
import time

MAX_DETAILS = 40


class Counts:
    def __init__(self):
        self.requests = 0
        self.failed = 0
        self.reconnects = 0
        self.kinds = collections.Counter()
        self.failures = collections.Counter()
        self.details = []
        self.versions = collections.Counter()
        self.slowest_ms = 0.0

    def add(self, kind, failure, version, elapsed):
        self.requests += 1
        self.kinds[kind] += 1
        self.slowest_ms = max(self.slowest_ms, elapsed * 1000)
        if failure:
            self.failed += 1
            self.failures[f"{kind}: {failure}"] += 1
            if len(self.details) < MAX_DETAILS:
                self.details.append({"kind": kind, "failure": failure, "after_s": round(elapsed, 3), "at": time.time()})
        if version:
            self.versions[version] += 1

    def asDict(self):
        return {
            "requests": self.requests,
            "failed": self.failed,
            "reconnects": self.reconnects,
            "kinds": dict(self.kinds),
            "failures": dict(self.failures),
            "details": self.details,
            "versions": dict(self.versions),
            "slowest_ms": round(self.slowest_ms, 1),
        }


class Connection(asyncio.Protocol):
    """One client connection, at most one request on it at a time. Parses just enough HTTP/1.1 to judge an answer."""

    def __init__(self):
        self.transport = None
        self.closed = False
        self.buffer = b""
        self.waiting = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        self._advance(False)

    def eof_received(self):
        self.closed = True
        self._advance(True)
        return False

    def connection_lost(self, error):
        self.closed = True
        self._finish(None, f"connection lost ({type(error).__name__ if error else 'closed'})")

    def ask(self, data):
        """Writes a request; the future gives (status, headers, body length, keep alive, failure)."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.waiting

    def close(self):
        self.closed = True
        if self.transport:
            self.transport.close()

    def _finish(self, answer, failure=None):
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(answer or (0, {}, 0, False, failure))

    def _advance(self, ended):
        if self.waiting is None or self.waiting.done():
            return
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if ended:
                self._finish(None, "closed before the response" if not self.buffer else "closed inside the response head")
            return
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        if status == 100:
            self.buffer = self.buffer[end + 4 :]
            return self._advance(ended)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.buffer[end + 4 :]
        keep = headers.get("connection", "").lower() != "close"
        if headers.get("transfer-encoding", "").lower() == "chunked":
            size = chunkedSize(body)
        elif "content-length" in headers:
            length = int(headers["content-length"])
            size = length if len(body) >= length else None
        else:
            size, keep = (len(body) if ended or status in (204, 304) else None), status in (204, 304)
        if size is None:
            if ended:
                self._finish((status, headers, 0, False, "closed inside the body"))
            return
        self.buffer = b""
        self._finish((status, headers, size, keep, None if 200 <= status < 300 else f"status {status}"))


def chunkedSize(body):
    """Length of a complete chunked body, None while it is not complete."""
    if not body.endswith(b"0\r\n\r\n"):
        return None
    position = total = 0
    while True:
        end = body.find(b"\r\n", position)
        if end < 0:
            return None
        size = int(body[position:end].split(b";")[0], 16)
        if size == 0:
            return total
        total += size
        position = end + 2 + size + 2
        if position > len(body):
            return None


class Load:
    def __init__(self, options):
        self.options = options
        self.targets = itertools.cycle(options.targets)
        self.idle_pool = collections.deque()
        self.random = random.Random(options.seed)
        self.total = Counts()
        self.recent = Counts()
        self.numbers = itertools.count()
        self.stopping = False

    async def connect(self):
        host, port = next(self.targets)
        _, connection = await asyncio.wait_for(
            asyncio.get_running_loop().create_connection(Connection, host, port), self.options.timeout_s
        )
        return connection

    async def pooled(self):
        while self.idle_pool:
            connection = self.idle_pool.popleft()
            if not connection.closed:
                return connection
            self.reconnected()
        return await self.connect()

    def reconnected(self):
        self.total.reconnects += 1
        self.recent.reconnects += 1

    def bytesOf(self, kind):
        number = next(self.numbers)
        options = self.options
        path = "/stream" if kind == "stream" else options.path
        head = f"{'POST' if kind == 'post' else 'GET'} {path} HTTP/1.1\r\nHost: {options.host}\r\nx-number: {number}\r\n"
        if kind == "close":
            head += "Connection: close\r\n"
        if kind != "post":
            return (head + "\r\n").encode(), None
        body = bytes(self.random.choice((1024, 8192, 65536)))
        if number % 2:
            half = len(body) // 2
            parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
            return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + parts + b"0\r\n\r\n", len(body)
        return (head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body, len(body)

    async def one(self, kind, connection=None):
        """One request, counted. Returns the connection when it can be used again."""
        began = time.monotonic()
        failure, version, keep = None, None, False
        try:
            if connection is None:
                connection = await (self.connect() if kind == "close" else self.pooled())
            data, sent = self.bytesOf(kind)
            status, headers, size, keep, failure = await asyncio.wait_for(connection.ask(data), self.options.timeout_s)
            version = headers.get("x-version")
            echoed = headers.get("x-body-length")
            if not failure and sent is not None and echoed is not None and int(echoed) != sent:
                failure = "the upstream did not get the whole body"
        except asyncio.TimeoutError:
            failure = f"no answer within {self.options.timeout_s:g} s"
        except OSError as error:
            failure = f"{type(error).__name__}"
        elapsed = time.monotonic() - began
        for counts in (self.total, self.recent):
            counts.add(kind, failure, version, elapsed)
        if connection is not None and (not keep or failure or kind == "close"):
            connection.close()
            return None
        return connection

    async def worker(self, kinds):
        """Takes its turns from the clock, not from the answers: a slow answer never lowers the rate asked of the others."""
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        connection = await self.one(kind)
        if connection is not None:
            self.idle_pool.append(connection)

    async def idler(self):
        connection = None
        while not self.stopping:
            if connection is None or connection.closed:
                if connection is not None:
                    self.reconnected()
                try:
                    connection = await self.connect()
                except (OSError, asyncio.TimeoutError) as error:
                    for counts in (self.total, self.recent):
                        counts.add("idle", f"connect: {type(error).__name__}", None, 0)
                    await asyncio.sleep(0.1)
                    continue
            else:
                await asyncio.sleep(self.options.idle_s * (0.5 + self.random.random()))
                if connection.closed:
                    continue
            connection = await self.one("idle", connection)

    async def run(self):
        loop = asyncio.get_running_loop()
        kinds = {kind: weight for kind, weight in self.options.mix.items() if kind != "idle"}
        tasks = {asyncio.ensure_future(self.idler()) for _ in range(self.options.mix.get("idle", 0))}
        commands = asyncio.ensure_future(self.commands())
        began, sent = loop.time(), 0
        running = set()
        while not self.stopping:
            due = int((loop.time() - began) * self.options.rate) - sent
            for _ in range(min(due, 200)):
                if len(running) >= self.options.connections:
                    break
                task = asyncio.ensure_future(self.worker(kinds))
                running.add(task)
                task.add_done_callback(running.discard)
                sent += 1
            if due > self.options.rate:  # more than a second behind: the machine cannot do it; do not pile up
                began, sent = loop.time(), 0
            await asyncio.sleep(0.002)
        if running:
            await asyncio.wait(running, timeout=self.options.timeout_s + 1)
        for task in tasks:
            task.cancel()
        commands.cancel()
        print(json.dumps(self.total.asDict()), flush=True)

    async def commands(self):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while True:
            line = (await reader.readline()).strip()
            if line == b"report":
                print(json.dumps(self.recent.asDict()), flush=True)
                self.recent = Counts()
            elif line in (b"quit", b""):  # an empty read: whoever started this is gone
                self.stopping = True
                return


def parseTarget(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def parseMix(text):
    mix = {}
    for part in text.split(","):
        kind, _, weight = part.partition("=")
        if kind not in ("get", "post", "stream", "idle", "close"):
            raise argparse.ArgumentTypeError(f"no kind of work {kind!r}")
        mix[kind] = int(weight or 1)
    return mix


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="HOST:PORT, several by comma")
    parser.add_argument("--rate", type=float, default=500, help="requests a second, those of idle connections apart")
    parser.add_argument("--connections", type=int, default=32, help="most requests at once")
    parser.add_argument("--mix", type=parseMix, default={"get": 1}, help="weights; of idle: the number of connections")
    parser.add_argument("--path", default="/")
    parser.add_argument("--host", default="test.example")
    parser.add_argument("--idle-s", type=float, default=2.0)
    parser.add_argument("--timeout-s", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.targets = [parseTarget(part) for part in options.target.split(",")]
    asyncio.run(Load(options).run())


if __name__ == "__main__":
    main()
