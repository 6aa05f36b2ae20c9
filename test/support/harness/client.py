"""Clients that show the bytes: a raw HTTP/1 client on a socket, and curl."""
import dataclasses
import socket
import subprocess

TIMEOUT_S = 10.0


@dataclasses.dataclass
class Response:
    version: str
    status: int
    reason: str
    headers: list  # (lower-case name, value) in order
    body: bytes
    trailers: list
    complete: bool  # False: the connection ended before the message did

    def header(self, name):
        """Values of a header joined by a comma, or None."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None


def rawConnection(target):
    """A connected socket to a port of 127.0.0.1, an (address, port) or a Unix path."""
    if isinstance(target, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT_S)
        sock.connect(target)
        return sock
    return socket.create_connection(("127.0.0.1", target) if isinstance(target, int) else target, TIMEOUT_S)


class _Reader:
    """Bytes of a socket, with a remainder. One per socket: pass it to readResponse for pipelined answers."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        chunk = self.sock.recv(65536)
        self.data += chunk
        return bool(chunk)

    def line(self):
        while b"\r\n" not in self.data:
            if not self.more():
                raise EOFError
        line, self.data = self.data.split(b"\r\n", 1)
        return line.decode("latin-1")

    def exactly(self, size):
        while len(self.data) < size:
            if not self.more():
                raise EOFError
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def rest(self):
        while self.more():
            pass
        taken, self.data = self.data, b""
        return taken


def reader(sock):
    return _Reader(sock)


def _headers(source):
    headers = []
    while True:
        line = source.line()
        if not line:
            return headers
        name, _, value = line.partition(":")
        headers.append((name.strip().lower(), value.strip()))


def readResponse(source, method="GET"):
    """One response from a socket or reader; 1xx responses are returned as they come. EOFError when there is none."""
    if isinstance(source, socket.socket):
        source = _Reader(source)
    version, _, rest = source.line().partition(" ")
    status, _, reason = rest.partition(" ")
    response = Response(version, int(status), reason, _headers(source), b"", [], True)
    if method == "HEAD" or response.status < 200 or response.status in (204, 304):
        return response
    try:
        if "chunked" in (response.header("transfer-encoding") or "").lower():
            while True:
                size = int(source.line().split(";")[0], 16)
                if size == 0:
                    break
                response.body += source.exactly(size)
                source.line()
            response.trailers = _headers(source)
        elif response.header("content-length") is not None:
            length = int(response.header("content-length"))
            response.body = source.exactly(length)
        else:
            response.body = source.rest()
    except (EOFError, ConnectionError):
        response.body += source.data
        response.complete = False
    return response


def requestBytes(method, path, headers=(), body=b"", host="test.example"):
    """A request; a list of bytes as body is sent in chunks."""
    pairs = dict(headers) if isinstance(headers, dict) else None
    lines = [f"{method} {path} HTTP/1.1"]
    given = [(name, value) for name, value in (pairs.items() if pairs is not None else headers)]
    if not any(name.lower() == "host" for name, _ in given):
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in given]
    if isinstance(body, list):
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in body) + b"0\r\n\r\n"
    elif body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def request(target, method="GET", path="/", headers=(), body=b"", host="test.example"):
    """One request on a connection of its own. 100-continue answers are passed over."""
    with rawConnection(target) as sock:
        sock.sendall(requestBytes(method, path, headers, body, host))
        source = _Reader(sock)
        while True:
            response = readResponse(source, method)
            if response.status >= 200:
                return response


def get(target, path="/", headers=(), host="test.example"):
    return request(target, "GET", path, headers, b"", host)


def exchange(target, data, half_close=False):
    """Sends bytes as they are and returns all that comes back until the other side closes, b"" for a reset."""
    with rawConnection(target) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        received = b""
        while True:
            try:
                chunk = sock.recv(65536)
            except ConnectionError:
                return received
            if not chunk:
                return received
            received += chunk


def curl(*arguments):
    """(exit code, standard output) of curl."""
    run = subprocess.run(["curl", "-sS", "--max-time", "10", *arguments], capture_output=True, stdin=subprocess.DEVNULL)
    return run.returncode, run.stdout
