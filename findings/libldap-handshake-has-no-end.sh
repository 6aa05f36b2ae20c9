#!/usr/bin/env bash
# libldap 2.5 with GnuTLS does not bound a TLS handshake, whatever LDAP_OPT_NETWORK_TIMEOUT says.
#
# ldap_install_tls() calls gnutls_handshake() until it is over. Where a server accepts and says nothing, that waits for ever on a socket that
# blocks, and spins at 100 % of a core on one that does not. A layer of one's own between the library's socket and its TLS
# (ber_sockbuf_add_io), whose reads fail when the time is over, ends it.
#
# Seen with Debian's libldap-2.5-0 2.5.13+dfsg-5: after 3 s with a timeout of 0.5 s it still goes on.
#
# Installs the package into a temporary folder; needs python3. A loopback port chosen by the kernel. Exits 0 while this is so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download libldap-2.5-0=2.5.13+dfsg-5 >download.log 2>&1 || {
  cat download.log
  exit 1
}
dpkg -x ./libldap*.deb root
cat >look.py <<'PY'
import ctypes, socket, sys

class Time(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("micros", ctypes.c_long)]

ldap = ctypes.CDLL("libldap-2.5.so.0")
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
client.setblocking(sys.argv[1] == "blocks")
handle = ctypes.c_void_p()
assert ldap.ldap_init_fd(client.detach(), 1, b"ldap://127.0.0.1", ctypes.byref(handle)) == 0
assert ldap.ldap_set_option(handle, 0x5005, ctypes.byref(Time(0, 500000))) == 0  # LDAP_OPT_NETWORK_TIMEOUT
print("begins", flush=True)
print("ends with", ldap.ldap_install_tls(handle))
PY
look() {
  LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu timeout -s KILL 3 python3 look.py "$1" || true
}
for socket in blocks "does not block"; do
  said=$(look "$socket" 2>/dev/null)
  echo "a socket that ${socket}: $said"
  [[ $said == begins ]]
done
