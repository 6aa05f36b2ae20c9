#!/usr/bin/env bash
# HAProxy 2.6 ends an HTTP/2 stream with REFUSED_STREAM although its server has read the whole request.
#
# RFC 9113 8.7: REFUSED_STREAM says that a stream was closed before any processing, so that the request, a POST too, can be sent again.
# HAProxy uses it when its server closed the connection without an answer, whatever the server has read: a client that trusts the code
# executes a POST twice. So a request that is not idempotent is not to be repeated on REFUSED_STREAM from a peer that is a proxy.
#
# Seen with Debian's haproxy 2.6.12-1+deb12u4: the server got the request line and the body, then the client got
#   RST_STREAM REFUSED_STREAM (7) on its stream, with GOAWAY not sent.
#
# Installs the package into a temporary folder; needs python3. Loopback ports chosen by the kernel. Exits 0 while this is so.
set -euo pipefail
version=2.6.12-1+deb12u4
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "haproxy=$version" >download.log 2>&1 || {
  cat download.log
  exit 1
}
dpkg -x ./haproxy_*.deb root
if ! ldd root/usr/sbin/haproxy >/dev/null || ldd root/usr/sbin/haproxy | grep -q 'not found'; then
  apt-get -q download liblua5.3-0 >>download.log 2>&1
  dpkg -x ./liblua5.3-0_*.deb root
  export LD_LIBRARY_PATH="$work/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)"
fi
root/usr/sbin/haproxy -v | head -1

cat >look.py <<'PY'
import socket, struct, subprocess, threading, time

def freePort():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

server = socket.create_server(("127.0.0.1", 0))
read = []

def serve():  # reads one whole request, closes without an answer
    while True:
        connection, _ = server.accept()
        data = b""
        while b"\r\n\r\nqty=1" not in data:
            data += connection.recv(4096)
        read.append(data.split(b"\r\n")[0].decode())
        connection.close()

threading.Thread(target=serve, daemon=True).start()
port = freePort()
with open("haproxy.cfg", "w") as file:
    file.write(f"""defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen l
  bind 127.0.0.1:{port} proto h2
  server s 127.0.0.1:{server.getsockname()[1]}
""")
haproxy = subprocess.Popen(["root/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(100):
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except OSError:
            time.sleep(0.05)

    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def literal(name, value):  # HPACK: literal without indexing, new name
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    head = b"".join(literal(*pair) for pair in [
        (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"shop.example"), (b":path", b"/order"),
        (b"content-length", b"5")])
    client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, head) + frame(0, 1, 1, b"qty=1"))
    buffered, code, goaway = b"", None, False
    while code is None:
        part = client.recv(4096)
        if not part:
            break
        buffered += part
        while len(buffered) >= 9:
            length = int.from_bytes(buffered[:3], "big")
            if len(buffered) < 9 + length:
                break
            kind, stream, payload = buffered[3], int.from_bytes(buffered[5:9], "big"), buffered[9 : 9 + length]
            buffered = buffered[9 + length :]
            goaway = goaway or kind == 7
            if kind == 3 and stream == 1:
                code = int.from_bytes(payload, "big")
finally:
    haproxy.kill()
print(f"the server read: {read}; the client's stream ended with code {code} (7 is REFUSED_STREAM), GOAWAY: {goaway}")
raise SystemExit(0 if read == ["POST /order HTTP/1.1"] and code == 7 and not goaway else 1)
PY
python3 look.py
