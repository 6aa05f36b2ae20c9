#!/usr/bin/python3
"""The demonstration service: answers every request with its version.

    service.py --version v1 --listen 127.0.0.1:8081
"""
import argparse
import asyncio


class Session(asyncio.Protocol):
    def __init__(self, version):
        body = f"hello from {version}\n"
        self.answer = (
            f"HTTP/1.1 200 OK\r\nx-version: {version}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        self.buffer = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        # Enough HTTP for GET requests, pipelined ones too.
        self.buffer += data
        requests = self.buffer.count(b"\r\n\r\n")
        if requests:
            self.buffer = self.buffer.rpartition(b"\r\n\r\n")[2]
            self.transport.write(self.answer * requests)


async def serve(options):
    host, _, port = options.listen.rpartition(":")
    server = await asyncio.get_running_loop().create_server(lambda: Session(options.version), host, int(port), backlog=1024)
    print("{}:{}".format(*server.sockets[0].getsockname()[:2]), flush=True)
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="v1")
    parser.add_argument("--listen", default="127.0.0.1:8081")
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
