"""HTTP/2 frames by hand, for peers that break its rules: headers are sent as literals, never in the dynamic table."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # RFC 7541 appendix A


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _integer(value):
    """With a prefix of seven bits (RFC 7541 section 5.1)."""
    if value < 127:
        return bytes((value,))
    out, value = b"\x7f", value - 127
    while value >= 128:
        out, value = out + bytes((value & 127 | 128,)), value >> 7
    return out + bytes((value,))


def block(fields):
    """A header block of (name, value), without indexing and without Huffman's code."""
    out = b""
    for pair in fields:
        name, value = (part if isinstance(part, bytes) else part.encode("latin-1") for part in pair)
        out += b"\0" + _integer(len(name)) + name + _integer(len(value)) + value
    return out


def headers(stream, fields, end=True):
    return frame(HEADERS, stream, block(fields), END_HEADERS | (END_STREAM if end else 0))


def data(stream, payload=b"", end=True):
    return frame(DATA, stream, payload, END_STREAM if end else 0)


def requestFields(method="GET", path="/", authority="test.example", scheme="http"):
    """Pseudo-headers; None leaves one out."""
    pairs = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]
    return [pair for pair in pairs if pair[1] is not None]


def statusOf(payload):
    """The :status that a block begins with; its digits may be in Huffman's code (RFC 7541 appendix B)."""
    while payload and payload[0] & 0xE0 == 0x20:  # the size of the table
        payload = payload[1:]
    if payload[0] & 0x80:
        return STATUSES[payload[0] & 0x7F]
    huffman, size = payload[1] & 0x80, payload[1] & 0x7F
    text = payload[2 : 2 + size]
    if not huffman:
        return int(text)
    bits, digits = "".join(f"{byte:08b}" for byte in text), ""
    while len(digits) < 3:
        short = int(bits[:5], 2)
        digits += str(short) if short < 3 else str(int(bits[:6], 2) - 22)
        bits = bits[5:] if short < 3 else bits[6:]
    return int(digits)


def readFrame(sock):
    """(kind, flags, stream, payload). EOFError at the end."""

    def exactly(size):
        taken = b""
        while len(taken) < size:
            piece = sock.recv(size - len(taken))
            if not piece:
                raise EOFError
            taken += piece
        return taken

    head = exactly(9)
    payload = exactly(int.from_bytes(head[:3], "big"))
    return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload


def serve(sock, answer):
    """The side of a server: `answer(stream, number)` gives the frames for the request that is the connection's `number`th."""
    taken = b""
    while len(taken) < len(PREFACE):
        taken += sock.recv(len(PREFACE) - len(taken))
    sock.sendall(frame(SETTINGS))
    requests = 0
    while True:
        kind, flags, stream, _ = readFrame(sock)
        if kind == SETTINGS and not flags & ACK:
            sock.sendall(frame(SETTINGS, flags=ACK))
        if kind == HEADERS:
            requests += 1
            sock.sendall(answer(stream, requests))


class Outcome:
    """How a stream ended: `status` of its final head, or the error `code` of a reset of it or of the connection."""

    def __init__(self):
        self.status = None
        self.body = b""
        self.code = None
        self.connection_over = False
        self.informational = []


class Client:
    """A connection with prior knowledge. HPACK's table is off, so that each block can be read by itself."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, struct.pack(">HI", 1, 0)))

    def send(self, *frames):
        try:
            self.sock.sendall(b"".join(frames))
        except ConnectionError:
            pass

    def outcome(self, stream):
        """Reads until the stream, or the connection, is over."""
        result = Outcome()
        while True:
            try:
                kind, flags, of, payload = readFrame(self.sock)
            except (EOFError, ConnectionError):
                result.connection_over = True
                return result
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, flags=ACK))
            if kind == GOAWAY and int.from_bytes(payload[4:8], "big") != 0:
                result.code = int.from_bytes(payload[4:8], "big")
                result.connection_over = True
                return result
            if of != stream or kind not in (HEADERS, DATA, RST_STREAM):
                continue
            if kind == RST_STREAM:
                result.code = int.from_bytes(payload, "big")
                return result
            if kind == HEADERS and result.status is None:
                status = statusOf(payload)
                if status < 200:
                    result.informational.append(status)
                else:
                    result.status = status
            if kind == DATA:
                result.body += payload
            if flags & END_STREAM:
                return result

    def close(self):
        self.sock.close()
