"""Clients and servers that are known by their certificates, in a running proxy: consumers by certificate, tokens that are
bound to one, and SPIFFE IDs on both sides."""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import shutil
import ssl
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE, upstreamTls  # noqa: E402
from harness.pki import Authority, openssl  # noqa: E402

TLS = TYPE + "envoy.extensions.transport_sockets.tls.v3."


def downstream(certificate, validation, **more):
    common = {"tls_certificates": [certificate], "validation_context": validation}
    return {"name": "tls", "typed_config": {"@type": TLS + "DownstreamTlsContext", "common_tls_context": common, **more}}


def spiffe(bundles, **more):
    """A validation context that believes these authorities, by trust domain."""
    domains = [{"name": name, "trust_bundle": {"filename": path}} for name, path in bundles.items()]
    typed = {"@type": TLS + "SPIFFECertValidatorConfig", "trust_domains": domains}
    return {"custom_validator_config": {"name": "envoy.tls.cert_validator.spiffe", "typed_config": typed}, **more}


def uri(name):
    return {"san_type": "URI", "matcher": {"exact": name}}


class TlsClientCase(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.scratch.join("pki"))
        self.stranger = Authority(self.scratch.join("stranger"), "stranger")

    def serve(self, validation, filters=(), routes=None, clusters=(), wait=True, **more):
        server = self.ca.issue("server", "DNS:a.example,URI:spiffe://one/server", key_usage="digitalSignature")
        self.access_log = self.scratch.join("access.log")
        listener = httpListener(
            "https",
            routes or [directResponse(200, "hello")],
            filters=filters,
            access_log=[fileLog(self.access_log, "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n")],
        )
        listener["filter_chains"][0]["transport_socket"] = downstream(server, validation, **more)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], list(clusters)), wait=wait))
        self.port = self.sluice.port("https")

    def connection(self, client=None, authority=None):
        """A connection of Python's ssl with the certificate of that name, or none."""
        context = ssl.create_default_context(cafile=self.ca.cert("ca"))
        context.check_hostname = False
        if client:
            authority = authority or self.ca
            context.load_cert_chain(authority.cert(client), authority.key(client))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        self.addCleanup(connection.close)
        return connection

    def askOver(self, connection, path="/", headers={}):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("x-consumer")

    def ask(self, client=None, authority=None, **more):
        """(status, what x-consumer of the answer says), or (None, None) where TLS refuses the client."""
        try:
            return self.askOver(self.connection(client, authority), **more)
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            return None, None

    def refusals(self, reason):
        return sum(n for name, n in self.sluice.stats("listener.").items() if name.endswith("ssl." + reason))


class MtlsAuthTest(TlsClientCase):
    NAME = "sluice.filters.http.mtls_auth"
    PACKAGE = "sluice.extensions.filters.http.mtls_auth.v1."

    def write(self, *consumers):
        return self.scratch.write("consumers/consumers.json", json.dumps({"consumers": consumers}))

    def serveConsumers(self, *consumers, validation={}, **fields):
        path = self.write(*consumers)
        source = {"filename": path, "watched_directory": {"path": os.path.dirname(path)}}
        entry = httpFilter(self.NAME, self.PACKAGE + "MtlsAuth", consumers=source, forward_header="x-consumer", **fields)
        staff = {"@type": TYPE + self.PACKAGE + "MtlsAuthPerRoute", "allowed_groups": ["staff"]}
        self.upstream = self.start(HttpUpstream(lambda r: Reply(200, headers=[("x-consumer", str(r.header("x-consumer")))])))
        self.serve(
            {"trusted_ca": {"filename": self.ca.cert("ca")}, **validation},
            [entry],
            [{**route("up", "/staff"), "typed_per_filter_config": {self.NAME: staff}}, route("up")],
            [cluster("up", self.upstream.port)],
        )

    def hashOf(self, name, authority):
        said = openssl("x509", "-in", authority.cert(name), "-noout", "-fingerprint", "-sha256")
        return said.strip().partition("=")[2]

    def test_consumers_are_known_by_names_hashes_and_subjects(self):
        for name, san in [("ali", "URI:spiffe://one/ali"), ("bob", "DNS:Bob.Example"), ("eve", "email:eve@a.example")]:
            self.ca.issue(name, san)
        for name in ("subject", "hashed", "nobody"):
            self.ca.issue(name)
        self.ca.issue("two", "URI:spiffe://one/ali,DNS:bob.example")
        for name in ("ali", "pinned", "hashed"):
            self.stranger.issue(name, "URI:spiffe://one/ali")
        self.serveConsumers(
            {"name": "ali", "groups": ["staff"], "certificates": [{"san": {"uri": "spiffe://one/ali"}}]},
            {"name": "bob", "certificates": [{"san": {"dns": "bob.example"}}]},
            {"name": "eve", "certificates": [{"san": {"email": "eve@a.example"}}]},
            {"name": "subject", "certificates": [{"subject": "CN=subject"}]},
            {"name": "hashed", "certificates": [{"sha256": self.hashOf("hashed", self.ca)}]},
            {"name": "pinned", "certificates": [{"sha256": self.hashOf("pinned", self.stranger)}]},
            {"name": "guest"},
            validation={"trust_chain_verification": "ACCEPT_UNTRUSTED"},
            accept_unverified_hashes=True,
            anonymous="guest",
        )

        for name in ("ali", "bob", "eve", "subject", "hashed"):
            self.assertEqual(self.ask(name, headers={"x-consumer": "root"}), (200, name))
        self.assertEqual(self.ask(headers={"x-consumer": "root", "x_consumer": "ali"}), (200, "guest"))
        self.assertEqual(self.ask("pinned", self.stranger), (200, "pinned"))
        self.assertEqual(self.ask("ali", path="/staff"), (200, "ali"))
        self.assertEqual(self.ask("bob", path="/staff")[0], 403)
        for name in ("nobody", "two"):
            self.assertEqual(self.ask(name)[0], 401)
        for name in ("ali", "hashed"):
            self.assertEqual(self.ask(name, self.stranger)[0], 401)
        stats = self.sluice.stats("http.https.mtls_auth.")
        counted = {name.rpartition(".")[2]: n for name, n in stats.items()}
        self.assertEqual([counted[n] for n in ("allowed", "anonymous", "unauthorized", "forbidden")], [7, 1, 4, 1])

        def logged():
            with open(self.access_log) as file:
                return set(re.findall(r"40[13] (\w+)", file.read()))

        expected = {"unknown_certificate", "ambiguous_certificate", "unverified_certificate", "consumer_not_allowed"}
        waitFor(lambda: logged() == expected, "the refusals in the log")

    def test_without_more_only_what_is_verified_counts(self):
        self.ca.issue("ali", "URI:spiffe://one/ali")
        self.stranger.issue("pinned")
        self.serveConsumers(
            {"name": "ali", "certificates": [{"san": {"uri": "spiffe://one/ali"}}]},
            {"name": "pinned", "certificates": [{"sha256": self.hashOf("pinned", self.stranger)}]},
            validation={"trust_chain_verification": "ACCEPT_UNTRUSTED"},
        )

        self.assertEqual(self.ask("ali"), (200, "ali"))
        self.assertEqual(self.ask("pinned", self.stranger)[0], 401)
        self.assertEqual(self.ask()[0], 401)

    def test_a_connection_is_judged_again_when_the_file_changes_and_a_wrong_one_changes_nothing(self):
        self.ca.issue("ali", "URI:spiffe://one/ali")
        certificates = [{"san": {"uri": "spiffe://one/ali"}}]
        self.serveConsumers({"name": "ali", "certificates": certificates})
        kept = self.connection("ali")
        self.assertEqual(self.askOver(kept), (200, "ali"))

        self.write({"name": "alice", "certificates": certificates})
        waitFor(lambda: self.askOver(kept) == (200, "alice"), "the new consumers")
        self.write({"name": "bob", "certificates": [{"sha256": "12"}]})
        waitFor(lambda: self.sluice.stat("http.https.mtls_auth.reload_failure") > 0, "the refusal")
        self.assertEqual(self.askOver(kept), (200, "alice"))
        self.assertIn("consumers[0].certificates[0].sha256", self.sluice.log())


class BoundTokenTest(TlsClientCase):
    KEY = b"0123456789abcdef0123456789abcdef"

    def encoded(self, value):
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def token(self, **claims):
        signed = self.encoded({"alg": "HS256"}) + "." + self.encoded({"iss": "me", "exp": int(time.time()) + 600, **claims})
        return signed + "." + self.encoded(hmac.digest(self.KEY, signed.encode(), "sha256"))

    def test_a_token_is_good_on_connections_of_its_certificate_only(self):
        keys = {"keys": [{"kty": "oct", "alg": "HS256", "k": self.encoded(self.KEY)}]}
        entry = httpFilter(
            "envoy.filters.http.jwt_authn",
            "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            providers={"p": {"issuer": "me", "local_jwks": {"inline_string": json.dumps(keys)}}},
            rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}],
        )
        self.ca.issue("ali")
        self.ca.issue("bob")
        self.serve({"trusted_ca": {"filename": self.ca.cert("ca")}}, [entry])
        with open(self.ca.cert("ali")) as file:
            digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).digest()
        bound = {"authorization": "Bearer " + self.token(cnf={"x5t#S256": self.encoded(digest)})}
        free = {"authorization": "Bearer " + self.token()}

        for _ in range(2):
            self.assertEqual(self.ask("ali", headers=bound)[0], 200)
            self.assertEqual(self.ask("bob", headers=bound)[0], 401)
            self.assertEqual(self.ask(headers=bound)[0], 401)
            self.assertEqual(self.ask(headers=free)[0], 200)


class SpiffeTest(TlsClientCase):
    def setUp(self):
        super().setUp()
        self.other = Authority(self.scratch.join("other"), "other")
        self.bundles = {"one": self.ca.cert("ca"), "two": self.other.cert("other")}

    def test_clients_are_believed_by_the_bundle_of_their_trust_domain(self):
        self.ca.issue("web", "URI:spiffe://one/web", key_usage="digitalSignature")
        self.ca.issue("crossed", "URI:spiffe://two/web")
        self.ca.issue("several", "URI:spiffe://one/a,URI:spiffe://one/b")
        self.ca.issue("pathless", "URI:spiffe://one")
        self.ca.issue("unnamed", "DNS:one")
        self.ca.issue("signer", "URI:spiffe://one/a", key_usage="digitalSignature,keyCertSign")
        self.ca.issue("unknown", "URI:spiffe://three/web")
        self.ca.issue("unwanted", "URI:spiffe://one/db")
        self.other.issue("web", "URI:spiffe://two/web")
        self.stranger.issue("web", "URI:spiffe://one/web")
        names = [uri("spiffe://one/web"), uri("spiffe://two/web")]
        self.serve(spiffe(self.bundles, match_typed_subject_alt_names=names), require_client_certificate=True)

        self.assertEqual(self.ask("web")[0], 200)
        self.assertEqual(self.ask("web", self.other)[0], 200)
        refused = ("crossed", "several", "pathless", "unnamed", "signer", "unknown")
        for name in refused:
            self.assertIsNone(self.ask(name)[0], name)
        self.assertIsNone(self.ask("web", self.stranger)[0])
        self.assertIsNone(self.ask("unwanted")[0])
        self.assertIsNone(self.ask()[0])
        self.assertEqual(self.refusals("fail_verify_error"), len(refused) + 1)
        self.assertEqual(self.refusals("fail_verify_san"), 1)
        self.assertEqual(self.refusals("fail_verify_no_cert"), 1)
        paths = {chain["path"] for c in self.sluice.adminJson("/certs")["certificates"] for chain in c["ca_cert"]}
        self.assertEqual(paths, set(self.bundles.values()))

    def test_servers_are_believed_by_the_bundle_of_their_trust_domain(self):
        self.ca.issue("web", "URI:spiffe://one/web", key_usage="digitalSignature")
        self.ca.issue("orders", "URI:spiffe://one/orders", key_usage="digitalSignature")
        self.ca.issue("forged", "URI:spiffe://two/orders")

        def towards(name, server, wanted):
            validation = spiffe(self.bundles, match_typed_subject_alt_names=[uri(wanted)])
            common = {"tls_certificates": [self.ca.files("web")], "validation_context": validation}
            return cluster(name, self.tlsServer(server), transport_socket=upstreamTls(common))

        clusters = [
            towards("good", "orders", "spiffe://one/orders"),
            towards("unwanted", "orders", "spiffe://one/payments"),
            towards("forged", "forged", "spiffe://two/orders"),
        ]
        listener = httpListener("http", [route(c["name"], "/" + c["name"]) for c in clusters])
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], clusters)))
        port = self.sluice.port("http")

        self.assertEqual([get(port, path).status for path in ("/good", "/unwanted", "/forged")], [200, 503, 503])
        self.assertEqual(self.sluice.stat("cluster.unwanted.ssl.fail_verify_san"), 1)
        self.assertEqual(self.sluice.stat("cluster.forged.ssl.fail_verify_error"), 1)

    def tlsServer(self, name):
        """The port of a server that asks its clients for certificates of the authority."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca.cert("ca"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.ca.cert(name), self.ca.key(name))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *arguments: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_port

    def test_a_bundle_that_changes_is_read_again(self):
        folder = self.scratch.join("bundles")
        os.makedirs(folder)

        def put(authority, name):
            shutil.copy(authority.cert(name), os.path.join(folder, "new"))
            os.replace(os.path.join(folder, "new"), os.path.join(folder, "one.pem"))

        put(self.stranger, "stranger")
        self.ca.issue("web", "URI:spiffe://one/web")
        bundles = {"one": os.path.join(folder, "one.pem")}
        self.serve(spiffe(bundles, watched_directory={"path": folder}), require_client_certificate=True)
        self.assertIsNone(self.ask("web")[0])

        put(self.ca, "ca")

        waitFor(lambda: self.ask("web")[0] == 200, "the new bundle")

    def test_other_names_are_matched_by_their_type(self):
        self.ca.issue("ali", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ali@a.example")
        self.ca.issue("bob", "otherName:1.2.3.4;UTF8:ali@a.example")
        name = {"san_type": "OTHER_NAME", "oid": "1.3.6.1.4.1.311.20.2.3", "matcher": {"exact": "ali@a.example"}}
        validation = {"trusted_ca": {"filename": self.ca.cert("ca")}, "match_typed_subject_alt_names": [name]}
        self.serve(validation, require_client_certificate=True)

        self.assertEqual(self.ask("ali")[0], 200)
        self.assertIsNone(self.ask("bob")[0])


if __name__ == "__main__":
    unittest.main()
