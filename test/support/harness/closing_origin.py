"""An upstream that closes idle connections whenever it likes, and knows what it was sent. A program of its own.

    python3 closing_origin.py --from-ms 10 --to-ms 30 --seed 1     prints its port on the first line

A connection on which a request was answered is closed after an idle time between the two, drawn anew each time, by a
FIN or by a reset. What arrives at that very moment is lost unread. Requests say who they are in x-id; GET /arrivals tells,
as JSON, how many arrived and which arrived more than once.
"""
import argparse
import asyncio
import collections
import json
import random
import socket
import struct
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Origin:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.arrivals = {"GET": collections.Counter(), "POST": collections.Counter()}
        self.closed = 0

    def report(self):
        told = {"closed": self.closed}
        for method, ids in self.arrivals.items():
            told[method] = {"arrived": sum(ids.values()), "twice": [name for name, count in ids.items() if count > 1]}
        body = json.dumps(told).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Session(asyncio.Protocol):
    def __init__(self, origin):
        self.origin = origin
        self.buffer = b""
        self.timer = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.timer:
            self.timer.cancel()

    def data_received(self, data):
        self.buffer += data
        if self.timer:
            self.timer.cancel()
        while self._one():
            pass

    def _one(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        line, *fields = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        used = end + 4 + int(headers.get("content-length", 0))
        if len(self.buffer) < used:
            return False
        self.buffer = self.buffer[used:]
        method, path, _ = line.split(" ")
        if path == "/arrivals":
            self.transport.write(self.origin.report())
            return True
        self.origin.arrivals[method][headers["x-id"]] += 1
        self.transport.write(ANSWER)
        options = self.origin.options
        wait = self.origin.random.uniform(options.from_ms, options.to_ms) / 1000
        self.timer = asyncio.get_running_loop().call_later(wait, self._close)
        return True

    def _close(self):
        self.origin.closed += 1
        if self.origin.random.random() < 0.5:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()


async def serve(options):
    origin = Origin(options)
    server = await asyncio.get_running_loop().create_server(lambda: Session(origin), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-ms", type=float, required=True)
    parser.add_argument("--to-ms", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
