#!/usr/bin/env bash
# libldap 2.5 loads every plugin of SASL at its first call, and with some of them OpenSSL.
#
# A program that only ever makes simple binds gets libcrypto.so.3 with the first ldap_initialize() where libsasl2-modules is installed:
# sasl_client_init() opens all that lies in /usr/lib/x86_64-linux-gnu/sasl2. In a process that has BoringSSL, whose symbols are the same,
# that must not be. sasl_set_path() before it, to where there is nothing, keeps them out; simple binds work as before.
#
# Seen with Debian's libldap-2.5-0 2.5.13+dfsg-5 and libsasl2-modules 2.1.28+dfsg-10.
#
# Installs the packages into a temporary folder; needs python3. Exits 0 while this is so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download libldap-2.5-0=2.5.13+dfsg-5 libsasl2-2=2.1.28+dfsg-10 libsasl2-modules=2.1.28+dfsg-10 >download.log 2>&1 || {
  cat download.log
  exit 1
}
for package in ./*.deb; do dpkg -x "$package" root; done
cat >look.py <<'PY'
import ctypes, sys

ldap = ctypes.CDLL("libldap-2.5.so.0")
if sys.argv[1] == "nowhere":
    ctypes.CDLL("libsasl2.so.2").sasl_set_path(0, b"/dev/null")
handle = ctypes.c_void_p()
assert ldap.ldap_initialize(ctypes.byref(handle), b"ldap://127.0.0.1:1") == 0
with open("/proc/self/maps") as maps:
    print("libcrypto.so.3" if "libcrypto.so.3" in maps.read() else "no OpenSSL")
PY
libraries=$work/root/usr/lib/x86_64-linux-gnu
look() {
  LD_LIBRARY_PATH=$libraries SASL_PATH=$libraries/sasl2 python3 -S look.py "$1"
}
echo "as it comes: $(look here); with a path to nowhere: $(look nowhere)"
[[ $(look here) == libcrypto.so.3 && $(look nowhere) == "no OpenSSL" ]]
