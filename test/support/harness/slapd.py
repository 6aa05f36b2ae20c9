"""Debian's slapd as a process, with entries of a text in LDIF."""
import os
import subprocess

from harness.process import Process

SUFFIX = "dc=example,dc=com"
SLAPD = "/usr/sbin/slapd"
CONFIG = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
{tls}
database mdb
suffix "{suffix}"
directory "{folder}"
maxsize 10485760
dbnosync
access to attrs=userPassword by anonymous auth by * none
{access}
access to * by self read by dn.exact="cn=sluice,{suffix}" read by * none
overlay memberof
"""


class Slapd(Process):
    """Serves `ports` {"ldap": port, "ldaps": port} of 127.0.0.1. Starting again with the same `name` finds the entries."""

    def __init__(self, scratch, ports, ldif=None, authority=None, name="slapd", access=""):
        folder = scratch.join(name)
        os.makedirs(folder, exist_ok=True)
        tls = ""
        if authority is not None:
            tls = (
                f"TLSCACertificateFile {authority.cert('ca')}\n"
                f"TLSCertificateFile {authority.cert('server')}\nTLSCertificateKeyFile {authority.key('server')}"
            )
        text = CONFIG.format(suffix=SUFFIX, folder=folder, tls=tls, access=access)
        config = scratch.write(name + ".conf", text)
        if ldif is not None:
            command = [SLAPD, "-T", "add", "-q", "-f", config, "-l", scratch.write(name + ".ldif", ldif)]
            run = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if run.returncode != 0:
                raise AssertionError(f"slapadd: {run.stderr}")
        urls = " ".join(f"{scheme}://127.0.0.1:{port}" for scheme, port in ports.items())
        super().__init__([SLAPD, "-d", "stats", "-f", config, "-h", urls], scratch, name)

    def stop(self):
        self.kill()

    def count(self, text):
        """How many lines of its log have the text."""
        return sum(text in line for line in self.log().splitlines())
