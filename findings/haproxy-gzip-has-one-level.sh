#!/usr/bin/env bash
# HAProxy 2.6 as Debian builds it compresses at one level, whatever `tune.comp.maxlevel` says.
#
# The setting is taken without a warning and does nothing: the package is built with libslz, which keeps no state between blocks and has no
# levels. Its output is about 1.4 times what zlib makes at its lowest level. Who compares compression with it, or sets a level to save
# traffic, compares or saves something else; a proxy that takes a level should say so where it has no effect.
#
# Seen with Debian's haproxy 2.6.12-1+deb12u4: 10,323 bytes of JSON become 2,018 at levels 1 and 9; zlib's level 1 makes 1,382.
#
# Installs the package into a temporary folder; needs python3. Loopback ports chosen by the kernel. Exits 0 while this is so.
set -euo pipefail
version=2.6.12-1+deb12u4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "haproxy=$version" liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 >download.log 2>&1 || {
  cat download.log
  exit 1
}
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$PWD/root/usr/lib/x86_64-linux-gnu
root/usr/sbin/haproxy -vv | grep -E '^HAProxy version|^Built with libslz'

cat >look.py <<'PY'
import http.client, http.server, json, socket, subprocess, threading, time, zlib

body = json.dumps([{"id": i, "name": f"item {i}", "price": i * 7 % 100, "tags": ["a", "b"]} for i in range(160)]).encode()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()

def sizeAt(level):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with open("haproxy.cfg", "w") as file:
        file.write(f"""global
  tune.comp.maxlevel {level}
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{port}
  compression algo gzip
  compression type application/json
  default_backend back
backend back
  server one 127.0.0.1:{server.server_address[1]}
""")
    haproxy = subprocess.Popen(["root/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"])
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("GET", "/", headers={"accept-encoding": "gzip"})
        answer = client.getresponse()
        data = answer.read()
        assert answer.getheader("content-encoding") == "gzip" and zlib.decompress(data, 31) == body
        return len(data)
    finally:
        haproxy.terminate()
        haproxy.wait()

low, high, of_zlib = sizeAt(1), sizeAt(9), len(zlib.compress(body, 1))
print(f"{len(body)} bytes: {low} at level 1, {high} at level 9, zlib's level 1 {of_zlib}")
raise SystemExit(0 if low == high > of_zlib else 1)
PY
python3 look.py
