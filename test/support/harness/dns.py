"""A DNS server that says what a test wants: addresses by name, which may change while it runs."""
import socket
import struct
import threading

TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}  # A, AAAA
NO_SUCH_NAME = 3


class DnsServer:
    """`names`: name -> addresses, or a function that gives them anew for each question. Other names are none."""

    def __init__(self, names=None, ttl=1):
        self.names = dict(names or {})
        self.ttl = ttl
        self.asked = []  # names, in order
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self):
        self.sock.close()

    def _serve(self):
        while True:
            try:
                question, client = self.sock.recvfrom(4096)
                answer = self._answer(question)
                if answer:
                    self.sock.sendto(answer, client)
            except OSError:
                return

    def _answer(self, message):
        name, end = self._name(message)
        kind = struct.unpack_from("!H", message, end)[0]
        known = self.names.get(name)
        if kind == 1:
            self.asked.append(name)
        if known == "silent":
            return None
        addresses = known() if callable(known) else known
        records = []
        for address in addresses or []:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if TYPES.get(kind) == family:
                data = socket.inet_pton(family, address)
                records.append(struct.pack("!HHHIH", 0xC00C, kind, 1, self.ttl, len(data)) + data)
        flags = 0x8180 | (0 if known is not None else NO_SUCH_NAME)
        head = message[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        return head + message[12 : end + 4] + b"".join(records)

    @staticmethod
    def _name(message):
        labels, at = [], 12
        while message[at]:
            size = message[at]
            labels.append(message[at + 1 : at + 1 + size].decode())
            at += 1 + size
        return ".".join(labels).lower(), at + 1
