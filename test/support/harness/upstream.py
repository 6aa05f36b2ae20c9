"""Upstream servers that a test scripts: a well-behaved one by a function, a misbehaving one by the socket."""
import dataclasses
import queue
import random
import socket
import threading

from harness.client import _Reader, _headers


def freePort(end=32000):
    """A port that was free a moment ago; for servers that must have the same one after a restart. Below the range from
    which the kernel takes the ports of outgoing connections: one of those could take it meanwhile."""
    while True:
        port = random.randrange(20000, end)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


@dataclasses.dataclass
class Request:
    method: str
    path: str
    version: str
    headers: list
    body: bytes
    trailers: list
    connection: int  # number of the connection that it came on

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None


@dataclasses.dataclass
class Reply:
    """What the script answers. A list as body is sent in chunks, with the trailers after it."""

    status: int = 200
    body: object = b"ok"
    headers: list = dataclasses.field(default_factory=list)
    trailers: list = dataclasses.field(default_factory=list)
    close: bool = False
    before: list = dataclasses.field(default_factory=list)  # interim responses: (status, headers)

    def encode(self, method):
        out = b""
        for status, headers in self.before:
            out += _head(status, headers)
        headers = list(self.headers)
        if self.close:
            headers.append(("Connection", "close"))
        bodiless = self.status in (204, 304)
        if isinstance(self.body, list):
            headers.append(("Transfer-Encoding", "chunked"))
            body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in self.body) + b"0\r\n"
            body += b"".join(f"{name}: {value}\r\n".encode() for name, value in self.trailers) + b"\r\n"
        else:
            body = self.body
            if not bodiless and not any(name.lower() == "content-length" for name, _ in headers):
                headers.append(("Content-Length", str(len(body))))
        return out + _head(self.status, headers) + (b"" if bodiless or method == "HEAD" else body)


def _head(status, headers):
    lines = [f"HTTP/1.1 {status} Reason"] + [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


class RawUpstream:
    """Runs script(socket, number) on a thread for each connection. The script may do whatever a server can do wrong."""

    def __init__(self, script, address=("127.0.0.1", 0), path=None):
        if path is not None:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(path)
        else:
            self.listener = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(address)
            self.port = self.listener.getsockname()[1]
        self.listener.listen(512)
        self.script = script
        self.connections = 0
        self.open = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
                self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        try:
            self.script(sock, number)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(sock)
            sock.close()

    def stop(self):
        """Closes the listening socket and every connection, as a killed server does."""
        for how in (lambda: self.listener.shutdown(socket.SHUT_RDWR), self.listener.close):
            try:
                how()
            except OSError:
                pass
        with self.lock:
            for sock in list(self.open):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def readRequest(source, number=0):
    """One request from a reader; EOFError when the client is done."""
    method, path, version = source.line().split(" ")
    request = Request(method, path, version, _headers(source), b"", [], number)
    return request


def readBody(source, request):
    if "chunked" in (request.header("transfer-encoding") or "").lower():
        while True:
            size = int(source.line().split(";")[0], 16)
            if size == 0:
                break
            request.body += source.exactly(size)
            source.line()
        request.trailers = _headers(source)
    elif request.header("content-length"):
        request.body = source.exactly(int(request.header("content-length")))


class HttpUpstream(RawUpstream):
    """Answers each request with what handler(request) returns: a Reply, bytes to send as they are, or None to close.

    Every request is kept in `requests` (a queue) before it is answered.
    """

    def __init__(self, handler=None, **where):
        self.handler = handler or (lambda request: Reply())
        self.requests = queue.Queue()
        super().__init__(self._talk, **where)

    def _talk(self, sock, number):
        source = _Reader(sock)
        while True:
            request = readRequest(source, number)
            if (request.header("expect") or "").lower() == "100-continue":
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            readBody(source, request)
            self.requests.put(request)
            reply = self.handler(request)
            if reply is None:
                return
            if isinstance(reply, bytes):
                sock.sendall(reply)
                continue
            sock.sendall(reply.encode(request.method))
            if reply.close or (request.header("connection") or "").lower() == "close":
                return

    def next(self, timeout=10.0):
        """The oldest request not yet taken."""
        return self.requests.get(timeout=timeout)
