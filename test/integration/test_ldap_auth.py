"""The filter that asks an LDAP directory for users, in a running proxy with Debian's slapd."""
import base64
import concurrent.futures
import os
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.pki import Authority  # noqa: E402
from harness.slapd import SUFFIX, Slapd  # noqa: E402
from harness.upstream import freePort  # noqa: E402

NAME = "sluice.filters.http.ldap_auth"
PACKAGE = "sluice.extensions.filters.http.ldap_auth.v1."
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
SERVICE_PASSWORD = "s3rv1ce"
ODD = "o,dd=+(*)\\ <x>"  # a name with all that means something somewhere

ENTRIES = f"""dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: ou=others,{SUFFIX}
objectClass: organizationalUnit
ou: others

dn: cn=sluice,{SUFFIX}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sluice
userPassword: {SERVICE_PASSWORD}

dn: cn=staff,{GROUPS}
objectClass: groupOfNames
cn: staff
member: uid=ali,{PEOPLE}
member: uid=hermione,{PEOPLE}

dn: cn=admins,{GROUPS}
objectClass: groupOfNames
cn: admins
member: uid=hermione,{PEOPLE}

dn: cn=admins,ou=others,{SUFFIX}
objectClass: groupOfNames
cn: admins
member: uid=ali,{PEOPLE}

"""


def user(uid, password, groups=(), rdn=None):
    member_of = "".join(f"memberOf: {group}\n" for group in groups)
    return (
        f"dn: {rdn or 'uid=' + uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
        f"userPassword: {password}\n{member_of}\n"
    )


LDIF = (
    ENTRIES
    + user("ali", "sesame", [f"cn=staff,{GROUPS}", f"cn=admins,ou=others,{SUFFIX}"])
    # Who asks for an attribute gets it in all languages.
    + user("hermione", "alohomora", [f"cn=staff,{GROUPS}", f"cn=admins,{GROUPS}\nuid;lang-fr: miss-teigne"])
    + user("eve", "apple")
    + user("twin", "one", rdn="cn=first")
    + user("twin", "two", rdn="cn=second")
    + user(ODD, "odd", rdn="uid=" + "".join(f"\\{byte:02x}" for byte in ODD.encode()))
)

DIRECT = {"direct_bind": {"attribute": "uid", "base_dn": PEOPLE}}
SEARCH = {
    "search_bind": {
        "bind_dn": f"cn=sluice,{SUFFIX}",
        "password": {"name": "directory"},
        "base_dn": PEOPLE,
        "filter": "(&(objectClass=inetOrgPerson)(uid={user}))",
    }
}
MEMBER_OF = {"groups": {"member_of": {"base_dn": GROUPS}}}
GROUP_SEARCH = {"groups": {"search": {"base_dn": GROUPS, "scope": "ONE_LEVEL", "filter": "(member={dn})"}}}
# Each login is asked of the directory.
UNCACHED = {"cache_ttl": "0s"}


class LdapCase(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.scratch.join("pki"))
        # The name of its subject is none of its names.
        self.authority.issue("0.0.0.0", san="IP:127.0.0.1")
        for place in (self.authority.cert, self.authority.key):
            os.rename(place("0.0.0.0"), place("server"))
        self.ports = {"ldap": freePort(), "ldaps": freePort()}
        self.slapd = None

    def startDirectory(self, ldif=None):
        self.slapd = self.start(Slapd(self.scratch, self.ports, ldif, self.authority))
        for port in self.ports.values():
            waitFor(lambda: socket.create_connection(("127.0.0.1", port)).close() or True, "slapd to listen")

    def url(self, scheme="ldap", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.ports[scheme]}"

    def serve(self, **filters):
        """A proxy with a listener for each filter: its fields by name."""
        upstream = self.start(HttpUpstream())
        self.access_log = self.scratch.join("access.log")
        shown = {
            "x-subject": "%DYNAMIC_METADATA(sluice.identity:subject)%",
            "x-groups": "%DYNAMIC_METADATA(sluice.identity:groups)%",
            "x-dn": "%DYNAMIC_METADATA(sluice.identity:claims:dn)%",
            "x-forwarded-user": "%REQ(x-user)%",
            "x-forwarded-password": "%REQ(authorization)%",
        }
        added = [{"header": {"key": key, "value": value}} for key, value in shown.items()]
        only = {NAME: {"@type": TYPE + PACKAGE + "LdapAuthPerRoute", "allowed_groups": ["admins"]}}
        routes = [
            {**route("up", "/admin"), "typed_per_filter_config": only, "response_headers_to_add": added},
            {**route("up"), "response_headers_to_add": added},
        ]
        log = [fileLog(self.access_log, "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n")]
        listeners = []
        for name, fields in filters.items():
            fields = {"servers": [self.url()], "forwarding": {"header": "x-user", "hide_credentials": True}, **fields}
            entry = httpFilter(NAME, PACKAGE + "LdapAuth", **fields)
            listeners.append(httpListener(name, routes, filters=[entry], access_log=log))
        config = bootstrap(listeners, [cluster("up", upstream.port)])
        secret = self.scratch.write("password", SERVICE_PASSWORD + "\n")
        config["static_resources"]["secrets"] = [
            {"name": "directory", "generic_secret": {"secret": {"filename": secret}}},
            {"name": "wrong", "generic_secret": {"secret": {"inline_string": "wrong"}}},
        ]
        self.sluice = self.start(Sluice(self.scratch, config))
        self.listeners = {name: self.sluice.port(name) for name in filters}

    def ask(self, listener, login, path="/", scheme="Basic", headers=()):
        shown = base64.b64encode(login.encode() if isinstance(login, str) else login).decode()
        return get(self.listeners[listener], path, [("Authorization", f"{scheme} {shown}"), *headers])

    def checkStatus(self, listener, login, status, **more):
        with self.subTest(listener=listener, login=login, **more):
            self.assertEqual(self.ask(listener, login, **more).status, status)


class UsersTest(LdapCase):
    def setUp(self):
        super().setUp()
        self.startDirectory(LDIF)
        self.tls = {"trusted_ca_filename": self.authority.cert("ca")}

    def test_users_get_in_by_their_passwords_alone(self):
        self.serve(
            direct={**DIRECT, **MEMBER_OF, **UNCACHED, "name_attribute": "uid"},
            search={**SEARCH, **GROUP_SEARCH, **UNCACHED, "name_attribute": "uid"},
            search_member={**SEARCH, **MEMBER_OF, **UNCACHED},
            nobody={**DIRECT, **GROUP_SEARCH, **UNCACHED},
            kong={**DIRECT, "scheme": "ldap", "realm": "kong"},
        )
        for listener in ("direct", "search", "search_member"):
            with self.subTest(listener=listener):
                answer = self.ask(listener, "ali:sesame", headers=[("x-user", "root"), ("x_user", "root")])
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.header("x-subject"), "ali")
                self.assertEqual(answer.header("x-groups"), '["staff"]')
                self.assertEqual(answer.header("x-dn"), f"uid=ali,{PEOPLE}")
                self.assertEqual(answer.header("x-forwarded-user"), "ali")
                self.assertIn(answer.header("x-forwarded-password"), ("-", "", None))
            self.checkStatus(listener, "ali:sesame", 403, path="/admin")
            self.checkStatus(listener, "hermione:alohomora", 200, path="/admin")
            self.checkStatus(listener, "eve:apple", 403, path="/admin")
            self.checkStatus(listener, f"{ODD}:odd", 200)
            self.checkStatus(listener, f"{ODD}:x", 401)
            injections = ["*", "ali)(uid=*", "*)(objectClass=*", "ali)(|(uid=*", f"ali,{PEOPLE}", "ali,ou=x", "ali+cn=Ali",
                          "\\61li", "ali\\", "#616c69", "ali;", '"ali"']  # fmt: skip
            for name in ("nobody", "", "ali ", " ali", "ali\0", "ali\r\n", *injections):
                self.checkStatus(listener, f"{name}:sesame", 401)
            for password in ("", "sesam", "sesame ", "Sesame", "sesame\0", "*", "x" * 5000):
                self.checkStatus(listener, f"ali:{password}", 401)
        # Directories take one name for another; what follows does not.
        for listener in ("direct", "search"):
            self.assertEqual(self.ask(listener, "ALI:sesame").header("x-subject"), "ali")
        self.assertEqual(self.ask("search_member", "ALI:sesame").header("x-subject"), "ALI")
        # Of two entries neither is meant.
        self.checkStatus("search", "twin:one", 401)
        # Users of this directory may not look for groups.
        self.assertEqual(self.ask("nobody", "ali:sesame").status, 503)
        self.checkStatus("kong", "ali:sesame", 200, scheme="LDAP")
        refused = self.ask("kong", "ali:sesame")
        self.assertEqual((refused.status, refused.header("www-authenticate")), (401, 'ldap realm="kong"'))
        code, out = curl("-i", "-u", "ali:sesame", f"http://127.0.0.1:{self.listeners['direct']}/")
        self.assertEqual(code, 0)
        self.assertIn("200", str(out).split()[1])
        # No plugin of SASL has brought OpenSSL along.
        with open(f"/proc/{self.sluice.pid}/maps") as maps:
            loaded = maps.read()
        self.assertIn("libldap", loaded)
        self.assertNotIn("libcrypto.so.3", loaded)
        self.assertNotIn("/sasl2/", loaded)

    def test_passwords_go_over_tls_to_servers_that_show_who_they_are(self):
        other = Authority(self.scratch.join("other"))
        wrong = {"trusted_ca_filename": other.cert("ca")}
        secure = {"servers": [self.url("ldaps")]}
        self.serve(
            ldaps={**DIRECT, **secure, "tls": self.tls},
            start_tls={**SEARCH, "tls": {**self.tls, "start_tls": True}},
            untrusted={**DIRECT, **secure, "tls": {"accept_untrusted": True}},
            any_host={**DIRECT, "servers": [self.url("ldaps", "0.0.0.0")], "tls": {"accept_untrusted": True}},
            wrong_ca={**DIRECT, **secure, "tls": wrong},
            wrong_ca_start={**SEARCH, "tls": {**wrong, "start_tls": True}},
            # It gets there, where the certificate is for 127.0.0.1.
            wrong_host={**DIRECT, "servers": [self.url("ldaps", "0.0.0.0")], "tls": self.tls},
            no_tls={**DIRECT, "servers": [f"ldaps://127.0.0.1:{self.ports['ldap']}"], "tls": self.tls,
                    "connect_timeout": "0.5s"},  # fmt: skip
        )
        for listener in ("ldaps", "start_tls", "untrusted", "any_host"):
            self.checkStatus(listener, "ali:sesame", 200)
            self.checkStatus(listener, "ali:sesam", 401)
        asked = self.slapd.count("BIND dn=")
        for listener in ("wrong_ca", "wrong_ca_start", "wrong_host", "no_tls"):
            self.checkStatus(listener, "ali:sesame", 503)
        self.assertEqual(self.slapd.count("BIND dn="), asked)
        self.assertIn("TLS:", self.sluice.log())

    def test_servers_with_an_old_tls_see_no_password(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.load_cert_chain(self.authority.cert("server"), self.authority.key("server"))
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        spoken = []

        def serve():
            client, _ = listening.accept()
            with client:
                with old.wrap_socket(client, server_side=True) as secure:
                    spoken.append((secure.version(), secure.recv(1000)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"ldaps://127.0.0.1:{listening.getsockname()[1]}"
        self.serve(old={**DIRECT, "servers": [url], "tls": self.tls})

        self.checkStatus("old", "ali:sesame", 503)

        thread.join(10)
        self.assertEqual(len(spoken), 1)
        version, sent = spoken[0]
        self.assertEqual(version, "TLSv1.1")
        self.assertNotIn(b"sesame", sent)
        self.assertIn("the server speaks 'TLS1.1', and TLS1.2 is the least", self.sluice.log())

    def test_a_login_is_asked_once_for_a_while(self):
        self.serve(search=SEARCH)
        for _ in range(3):
            self.checkStatus("search", "ali:sesame", 200)
            self.checkStatus("search", "ali:sesam", 401)
        self.assertEqual(self.slapd.count(f'BIND dn="uid=ali,{PEOPLE}" method=128'), 2)
        self.assertEqual(self.sluice.stat("http.search.ldap_auth.allowed"), 3)
        self.assertEqual(self.sluice.stat("http.search.ldap_auth.unauthorized"), 3)

    def test_many_get_in_at_once_over_few_connections(self):
        self.serve(search={**SEARCH, **GROUP_SEARCH, **UNCACHED, "max_concurrent_logins": 3})
        logins = ["ali:sesame", "hermione:alohomora", "ali:sesam", "eve:apple", "nobody:x"]
        with concurrent.futures.ThreadPoolExecutor(50) as clients:
            statuses = list(clients.map(lambda i: self.ask("search", logins[i % 5]).status, range(50)))
        self.assertEqual(statuses, [200, 200, 401, 200, 401] * 10)
        self.assertLessEqual(self.slapd.count("ACCEPT from"), 2 + 2 * 3)

    def test_a_service_that_may_not_search_is_an_error_that_the_log_tells(self):
        wrong = {"search_bind": {**SEARCH["search_bind"], "password": {"name": "wrong"}}}
        lost = {"search_bind": {**SEARCH["search_bind"], "base_dn": f"ou=none,{SUFFIX}"}}
        self.serve(wrong=wrong, lost=lost)
        for listener in ("wrong", "lost"):
            self.checkStatus(listener, "ali:sesame", 503)
            self.assertEqual(self.sluice.stat(f"http.{listener}.ldap_auth.error"), 1)
        self.assertIn("to bind as bind_dn: Invalid credentials", self.sluice.log())
        self.assertIn("to search for a user: No such object", self.sluice.log())
        self.assertNotIn(SERVICE_PASSWORD, self.sluice.log())


class ServersTest(LdapCase):
    def test_a_server_that_goes_and_comes_back_is_asked_again(self):
        self.startDirectory(LDIF)
        self.serve(direct={**DIRECT, **UNCACHED}, search={**SEARCH, **UNCACHED}, cached=DIRECT)
        for listener in ("direct", "search", "cached"):
            self.checkStatus(listener, "ali:sesame", 200)
        self.slapd.kill()
        for listener in ("direct", "search"):
            self.checkStatus(listener, "ali:sesame", 503)
        self.checkStatus("cached", "ali:sesame", 200)
        self.assertIn("is down: Connection refused", self.sluice.log())
        self.startDirectory()
        for listener in ("direct", "search"):
            waitFor(lambda: self.ask(listener, "ali:sesame").status == 200, "the directory to be asked again")
        self.assertIn("answers again", self.sluice.log())
        # Connections that the server has closed while they waited are no failure.
        self.slapd.kill()
        self.startDirectory()
        self.checkStatus("direct", "ali:sesame", 200)
        self.checkStatus("search", "ali:sesame", 200)

    def test_servers_are_asked_in_order_and_silent_ones_do_not_hold_up_anybody_for_long(self):
        self.startDirectory(LDIF)
        silent = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.addCleanup(silent.close)
        quiet = f"127.0.0.1:{silent.getsockname()[1]}"
        dead = f"127.0.0.1:{freePort()}"
        short = {"timeout": "0.3s", "connect_timeout": "0.3s"}
        tls = {"trusted_ca_filename": self.authority.cert("ca")}
        self.serve(
            after_dead={**DIRECT, "servers": [f"ldap://{dead}", self.url()]},
            after_silent={**SEARCH, **UNCACHED, **short, "servers": [f"ldap://{quiet}", self.url()]},
            silent={**SEARCH, **short, "servers": [f"ldap://{quiet}"]},
            silent_start={**DIRECT, **short, "servers": [f"ldap://{quiet}"], "tls": {**tls, "start_tls": True}},
            silent_tls={**DIRECT, **short, "servers": [f"ldaps://{quiet}"], "tls": tls},
            unknown={**DIRECT, "servers": [f"ldap://{64 * chr(97)}"]},
            slow={**DIRECT, "timeout": "30s", "servers": [f"ldap://{quiet}"]},
        )
        for listener in ("after_dead", "after_silent"):
            self.checkStatus(listener, "ali:sesame", 200)
            self.checkStatus(listener, "ali:sesam", 401)
        for listener in ("silent", "silent_start", "silent_tls", "unknown"):
            self.checkStatus(listener, "ali:sesame", 503)
        self.assertIn("its address is not found", self.sluice.log())
        # The process does not wait for what its threads wait for.
        with socket.create_connection(("127.0.0.1", self.listeners["slow"])) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWxpOnNlc2FtZQ==\r\n\r\n")
            waitFor(lambda: self.sluice.stat("http.slow.downstream_rq_active") == 1, "the request to wait")
            self.sluice.terminate()
        self.assertEqual(self.sluice.waitForExit(10), 0)
