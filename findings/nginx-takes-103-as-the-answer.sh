#!/usr/bin/env bash
# nginx 1.22 as a proxy takes an interim response of its upstream for the final one.
#
# RFC 9110 15.2: a proxy forwards or drops 1xx responses and waits for the final one. nginx 1.22 forwards a 103 (Early Hints) as if it were
# the answer: the client gets status 103 with the hints as headers, and what comes behind it, the real head included, as its body. A
# server that is to stand behind such a proxy must not send 103, and a proxy in front of it must expect a 103 that is the last word.
#
# Seen with Debian's nginx 1.22.1-9+deb12u11: the client's first line is "HTTP/1.1 103 ", and nginx's access log says status 103.
#
# Installs the package into a temporary folder; needs python3. Loopback ports chosen by the kernel. Exits 0 while this is so.
set -euo pipefail
version=1.22.1-9+deb12u11
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "nginx=$version" >download.log 2>&1 || {
  cat download.log
  exit 1
}
dpkg -x ./nginx_*.deb root
root/usr/sbin/nginx -v

cat >look.py <<'PY'
import os, socket, subprocess, threading, time

def freePort():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

server = socket.create_server(("127.0.0.1", 0))

def serve():
    while True:
        connection, _ = server.accept()
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(4096)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n")
        time.sleep(0.3)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        connection.close()

threading.Thread(target=serve, daemon=True).start()
port = freePort()
with open("nginx.conf", "w") as file:
    file.write(f"""daemon off; master_process off; pid {os.getcwd()}/pid; error_log {os.getcwd()}/error.log;
events {{}}
http {{
  log_format status $status;
  access_log {os.getcwd()}/access.log status;
  client_body_temp_path {os.getcwd()}/t1; proxy_temp_path {os.getcwd()}/t2; fastcgi_temp_path {os.getcwd()}/t3;
  uwsgi_temp_path {os.getcwd()}/t4; scgi_temp_path {os.getcwd()}/t5;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_http_version 1.1; proxy_pass http://127.0.0.1:{server.getsockname()[1]}; }}
  }}
}}
""")
nginx = subprocess.Popen(["root/usr/sbin/nginx", "-p", os.getcwd(), "-c", f"{os.getcwd()}/nginx.conf", "-e", "stderr"])
try:
    for _ in range(100):
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except OSError:
            time.sleep(0.05)
    client.sendall(b"GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n")
    answer = b""
    while part := client.recv(4096):
        answer += part
finally:
    nginx.terminate()
    nginx.wait()
logged = open("access.log").read().split()
lines = answer.decode().split("\r\n")
print(f"the client got: {lines}\nlogged status: {logged}")
raise SystemExit(0 if lines[0].startswith("HTTP/1.1 103") and logged == ["103"] else 1)
PY
python3 look.py
