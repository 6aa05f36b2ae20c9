#!/usr/bin/env bash
# curl 7.88.1 cannot use a connection of HTTP/2 without TLS (--http2-prior-knowledge) for a second request.
#
# Two URLs of one host in one call are two requests on one connection. Over TLS they are; with prior knowledge the second one fails
# with exit code 16 (an error in the HTTP/2 framing layer) before a byte of it is sent: the server, here nghttpd, sees one request
# and then the end of the connection. Health checks, load scripts and tests that give curl several URLs of an h2c port see
# failures that no proxy has made.
#
# Seen with Debian's curl 7.88.1-10+deb12u15 and nghttp2-server 1.52.0:
#   one URL:  exit code 0, one request at the server
#   two URLs: exit code 16, one request at the server
#
# Installs the packages into a temporary folder. Exits 0 while this is so.
set -euo pipefail
curl_version=7.88.1-10+deb12u15
work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "curl=$curl_version" "libcurl4=$curl_version" nghttp2-server libev4 libjemalloc2 libnghttp2-14 >download.log 2>&1 || {
  cat download.log
  exit 1
}
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
export LD_LIBRARY_PATH

mkdir www
echo hi >www/page
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
root/usr/sbin/nghttpd --no-tls -v -d www "$port" >server.log 2>&1 &
server=$!
url=http://127.0.0.1:$port/page
for _ in $(seq 50); do
  root/usr/bin/curl -s --http2-prior-knowledge "$url" >/dev/null && break
  sleep 0.1
done

requests() { grep -c 'recv HEADERS' server.log || true; }

# ask URLS EXPECTED_CODE: the exit code is that, and the server gets one request.
ask() {
  local before code=0
  before=$(requests)
  # shellcheck disable=SC2046
  root/usr/bin/curl -s --http2-prior-knowledge $(printf "$url %.0s" $(seq "$1")) >/dev/null || code=$?
  sleep 0.2
  local got=$(($(requests) - before))
  echo "$1 URL(s): exit code $code, $got request(s) at the server"
  [[ $code == "$2" && $got == 1 ]] || {
    echo "changed: exit code $2 and 1 request were seen before" >&2
    exit 1
  }
}
root/usr/bin/curl --version | head -1
ask 1 0
ask 2 16
