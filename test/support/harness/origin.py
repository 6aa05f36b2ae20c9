"""An upstream for load: cheap, well-behaved, never closes a connection. A program of its own.

    python3 origin.py --listen HOST:PORT [--version v1]     prints its port on the first line

GET /stream answers 20 chunks of 4 KiB, 10 ms apart; anything else 64 bytes. Answers carry x-version and, for a request with
a body, its length as x-body-length.
"""
import argparse
import asyncio
import sys

BODY = b"." * 63 + b"\n"


class Session(asyncio.Protocol):
    def __init__(self, version):
        self.version = version.encode()
        self.buffer = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while self._one():
            pass

    def _one(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].lower()
        if b"transfer-encoding: chunked" in head:
            size, used = chunked(self.buffer, end + 4)
        else:
            at = head.find(b"\r\ncontent-length:")
            size = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else None
            used = end + 4 + (size or 0)
        if used is None or len(self.buffer) < used:
            return False
        path = self.buffer.split(b" ", 2)[1]
        self.buffer = self.buffer[used:]
        extra = b"" if size is None else b"x-body-length: %d\r\n" % size
        if path == b"/stream":
            asyncio.ensure_future(self._stream(extra))
        else:
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nx-version: %s\r\n%sContent-Length: %d\r\n\r\n%s" % (self.version, extra, len(BODY), BODY)
            )
        return True

    async def _stream(self, extra):
        self.transport.write(b"HTTP/1.1 200 OK\r\nx-version: %s\r\n%sTransfer-Encoding: chunked\r\n\r\n" % (self.version, extra))
        for _ in range(20):
            self.transport.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await asyncio.sleep(0.01)
        self.transport.write(b"0\r\n\r\n")


def chunked(buffer, position):
    """(length of the body, position after it); (0, None) while it is not complete."""
    total = 0
    while True:
        end = buffer.find(b"\r\n", position)
        if end < 0:
            return 0, None
        size = int(buffer[position:end].split(b";")[0], 16)
        position = end + 2 + size + 2
        total += size
        if size == 0:
            return total, position
        if position > len(buffer):
            return 0, None


async def serve(options):
    host, _, port = options.listen.rpartition(":")
    server = await asyncio.get_running_loop().create_server(
        lambda: Session(options.version), host, int(port), backlog=1024, reuse_address=True
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--version", default="v1")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
