"""TLS on both sides, against clients and servers of OpenSSL and nginx: which certificate is shown, who is believed, how
secrets come and change."""
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.ads import CLUSTER, LISTENER, AdsServer  # noqa: E402
from harness.config import TYPE, socketAddress, upstreamTls  # noqa: E402
from harness.pki import Authority, contentOf, openssl  # noqa: E402
from harness.upstream import freePort  # noqa: E402

TLS = TYPE + "envoy.extensions.transport_sockets.tls.v3."
ROTATIONS = int(os.environ.get("SLUICE_TEST_ROTATIONS", "50"))


def downstream(certificates=None, validation=None, **more):
    common = {"tls_certificates": certificates or []}
    if validation:
        common["validation_context"] = validation
    common.update(more.pop("common", {}))
    return {
        "name": "tls",
        "typed_config": {"@type": TLS + "DownstreamTlsContext", "common_tls_context": common, **more},
    }


def secure(listener, socket):
    listener["filter_chains"][0]["transport_socket"] = socket
    return listener


class TlsTestCase(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.scratch.join("pki"))

    def serve(self, socket, routes=None, clusters=(), wait=True, **hcm):
        listener = secure(httpListener("https", routes or [directResponse(200, "hello")], **hcm), socket)
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], list(clusters)), wait=wait))
        self.port = self.sluice.port("https")

    def curl(self, *arguments, host="a.example", path="/"):
        """(exit code, body)."""
        run = subprocess.run(
            ["curl", "-sS", "--max-time", "10", "--cacert", self.ca.cert("ca"), "--resolve",
             f"{host}:{self.port}:127.0.0.1", *arguments, f"https://{host}:{self.port}{path}"],
            capture_output=True, text=True, errors="replace")  # fmt: skip
        return run.returncode, run.stdout + run.stderr

    def client(self, *arguments, stdin=""):
        """What openssl s_client says."""
        run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", *arguments], input=stdin,
                             capture_output=True, text=True, errors="replace", timeout=20)  # fmt: skip
        return run.stdout + run.stderr

    def refused(self, port):
        try:
            rawConnection(port).close()
            return False
        except ConnectionRefusedError:
            return True

    def subject(self, *arguments):
        found = re.search(r"^subject=CN = (\S+)$", self.client(*arguments), re.M)
        return found and found.group(1)


class DownstreamTest(TlsTestCase):
    def test_curl_is_answered_in_tls_1_2_and_1_3(self):
        self.serve(downstream([self.ca.issue("a", "DNS:a.example")]))

        self.assertEqual(self.curl("--tlsv1.3"), (0, "hello"))
        self.assertEqual(self.curl("--tlsv1.2", "--tls-max", "1.2"), (0, "hello"))
        self.assertNotEqual(self.curl("--tlsv1.1", "--tls-max", "1.1")[0], 0)
        self.assertNotEqual(self.curl(host="other.example")[0], 0)

    def test_the_certificate_is_chosen_by_sni_and_by_key_type(self):
        certificates = [
            self.ca.issue("a", "DNS:a.example"),
            self.ca.issue("a-rsa", "DNS:a.example", kind="rsa"),
            self.ca.issue("wild", "DNS:*.b.example"),
        ]
        self.serve(downstream(certificates))

        self.assertEqual(self.subject("-servername", "a.example"), "a")
        self.assertEqual(self.subject("-servername", "x.b.example"), "wild")
        self.assertEqual(
            self.subject("-servername", "a.example", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "a-rsa"
        )

    def test_one_entry_of_alpn_protocols_with_a_comma_offers_both(self):
        self.serve(downstream([self.ca.issue("a", "DNS:a.example")], common={"alpn_protocols": ["h2,http/1.1"]}))

        self.assertIn("ALPN protocol: h2", self.client("-alpn", "http/1.1,h2"))
        self.assertIn("ALPN protocol: http/1.1", self.client("-alpn", "http/1.1"))

    def test_alpn_is_agreed_on_in_our_order(self):
        self.serve(downstream([self.ca.issue("a", "DNS:a.example")], common={"alpn_protocols": ["h2", "http/1.1"]}))

        self.assertIn("ALPN protocol: h2", self.client("-alpn", "http/1.1,h2"))
        self.assertIn("ALPN protocol: http/1.1", self.client("-alpn", "http/1.1"))
        self.assertEqual(self.curl("--http1.1"), (0, "hello"))

    def test_an_ocsp_staple_is_shown_to_clients_that_ask(self):
        files = self.ca.issue("a", "DNS:a.example")
        serial = openssl("x509", "-in", self.ca.cert("a"), "-noout", "-serial").strip().partition("=")[2]
        index = self.scratch.write("index.txt", f"V\t301231235959Z\t\t{serial}\tunknown\t/CN=a\n")
        staple = self.scratch.join("a.ocsp")
        openssl("ocsp", "-index", index, "-CA", self.ca.cert("ca"), "-rsigner", self.ca.cert("ca"), "-rkey",
                self.ca.key("ca"), "-issuer", self.ca.cert("ca"), "-cert", self.ca.cert("a"), "-ndays", "1", "-respout",
                staple)  # fmt: skip
        with open(self.ca.cert("a")) as leaf, open(self.ca.cert("ca")) as authority:
            chain = self.scratch.write("chain.pem", leaf.read() + authority.read())  # curl wants to see the issuer
        files = {**files, "certificate_chain": {"filename": chain}, "ocsp_staple": {"filename": staple}}
        self.serve(downstream([files], ocsp_staple_policy="MUST_STAPLE"))

        self.assertIn("OCSP Response Status: successful", self.client("-status"))
        self.assertEqual(self.curl("--cert-status"), (0, "hello"))

    def test_an_ocsp_staple_that_is_delivered_anew_is_shown(self):
        files = self.ca.issue("a", "DNS:a.example")
        serial = openssl("x509", "-in", self.ca.cert("a"), "-noout", "-serial").strip().partition("=")[2]
        index = self.scratch.write("index.txt", f"V\t301231235959Z\t\t{serial}\tunknown\t/CN=a\n")
        live = self.scratch.join("live")
        os.makedirs(live)

        def deliver(days):
            new = os.path.join(live, "new")
            openssl("ocsp", "-index", index, "-CA", self.ca.cert("ca"), "-rsigner", self.ca.cert("ca"), "-rkey",
                    self.ca.key("ca"), "-issuer", self.ca.cert("ca"), "-cert", self.ca.cert("a"), "-ndays", days,
                    "-respout", new)  # fmt: skip
            os.replace(new, os.path.join(live, "a.ocsp"))

        def shown():
            return re.findall("Next Update: .*", self.client("-status"))

        deliver("1")
        files = {**files, "ocsp_staple": {"filename": os.path.join(live, "a.ocsp")}, "watched_directory": {"path": live}}
        self.serve(downstream([files], ocsp_staple_policy="MUST_STAPLE"))
        first = shown()
        deliver("2")

        self.assertEqual(len(first), 1)
        waitFor(lambda: shown() not in ([], first), "the new staple")

    def test_sessions_are_resumed_by_tickets(self):
        self.serve(downstream([self.ca.issue("a", "DNS:a.example")]))
        saved = self.scratch.join("session")
        request = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"

        first = self.client("-tls1_2", "-sess_out", saved, "-ign_eof", stdin=request)
        second = self.client("-tls1_2", "-sess_in", saved, "-ign_eof", stdin=request)

        self.assertIn("New, TLSv1.2", first)
        self.assertIn("Reused, TLSv1.2", second)

    def test_tickets_come_before_the_first_request(self):
        # A client with Nagle's algorithm sends its request only when its last flight is acknowledged.
        import ssl

        self.serve(downstream([self.ca.issue("a", "DNS:a.example")]))
        context = ssl.create_default_context(cafile=self.ca.cert("ca"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="a.example") as tls:
                self.assertEqual(select.select([tls], [], [], 10)[0], [tls])

    def test_a_client_certificate_that_is_required_must_be_of_the_authority(self):
        stranger = Authority(self.scratch.join("stranger"), "stranger")
        stranger.issue("fake", "URI:spiffe://x/client")
        self.ca.issue("client", "URI:spiffe://x/client")
        self.serve(
            downstream(
                [self.ca.issue("a", "DNS:a.example")],
                {"trusted_ca": {"filename": self.ca.cert("ca")}},
                require_client_certificate=True,
            )
        )

        good = self.curl("--cert", self.ca.cert("client"), "--key", self.ca.key("client"))
        none = self.curl()
        fake = self.curl("--cert", stranger.cert("fake"), "--key", stranger.key("fake"))

        self.assertEqual(good, (0, "hello"))
        self.assertNotEqual(none[0], 0)
        self.assertNotEqual(fake[0], 0)
        stats = self.sluice.stats("listener.")
        self.assertEqual(sum(v for k, v in stats.items() if k.endswith("ssl.fail_verify_no_cert")), 1)
        self.assertEqual(sum(v for k, v in stats.items() if k.endswith("ssl.fail_verify_error")), 1)

    def test_names_of_clients_are_matched(self):
        self.ca.issue("good", "URI:spiffe://x/good")
        self.ca.issue("bad", "URI:spiffe://x/bad")
        matcher = {"san_type": "URI", "matcher": {"exact": "spiffe://x/good"}}
        self.serve(
            downstream(
                [self.ca.issue("a", "DNS:a.example")],
                {"trusted_ca": {"filename": self.ca.cert("ca")}, "match_typed_subject_alt_names": [matcher]},
                require_client_certificate=True,
            )
        )

        self.assertEqual(self.curl("--cert", self.ca.cert("good"), "--key", self.ca.key("good")), (0, "hello"))
        self.assertNotEqual(self.curl("--cert", self.ca.cert("bad"), "--key", self.ca.key("bad"))[0], 0)

    def test_upstreams_and_the_log_are_told_of_the_client(self):
        upstream = self.start(HttpUpstream(lambda request: Reply(body=str(request.header("x-forwarded-client-cert")).encode())))
        self.ca.issue("client", "URI:spiffe://x/client,DNS:c.example")
        log = self.scratch.join("access.log")
        text = (
            "%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_URI_SAN% "
            "%DOWNSTREAM_LOCAL_SUBJECT% %REQUESTED_SERVER_NAME%\n"
        )
        access_log = fileLog(log, text)
        self.serve(
            downstream([self.ca.issue("a", "DNS:a.example")], {"trusted_ca": {"filename": self.ca.cert("ca")}}),
            routes=[route("up")],
            clusters=[cluster("up", upstream.port)],
            access_log=[access_log],
            forward_client_cert_details="SANITIZE_SET",
            set_current_client_cert_details={"subject": True, "uri": True, "dns": True},
        )
        forged = ("-H", "x-forwarded-client-cert: Hash=forged")

        code, body = self.curl("--cert", self.ca.cert("client"), "--key", self.ca.key("client"), *forged)
        without = self.curl(*forged)

        self.assertEqual(code, 0)
        self.assertRegex(body, r'^Hash=[0-9a-f]{64};Subject="CN=client";URI=spiffe://x/client;DNS=c\.example$')
        self.assertEqual(without, (0, "None"))

        def logged():
            with open(log) as file:
                return len(lines := file.read().splitlines()) == 2 and lines

        lines = waitFor(logged, "two lines of the log")
        self.assertEqual(lines[0], "TLSv1.3 CN=client spiffe://x/client CN=a a.example")
        self.assertEqual(lines[1], "TLSv1.3 - - CN=a a.example")

    def test_the_log_tells_of_the_connection(self):
        log = self.scratch.join("access.log")
        text = (
            "%TLS_JA3_FINGERPRINT% %TLS_JA4_FINGERPRINT% %DOWNSTREAM_DIRECT_LOCAL_PORT% %DOWNSTREAM_HANDSHAKE_DURATION% "
            "%DOWNSTREAM_CX_RTT% %DOWNSTREAM_PEER_CHAIN_SERIALS%\n"
        )
        access_log = fileLog(log, text)
        inspector = {
            "@type": TYPE + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            "enable_ja3_fingerprinting": True,
            "enable_ja4_fingerprinting": True,
        }
        listener = httpListener("https", [directResponse(200, "hello")], access_log=[access_log])
        listener["listener_filters"] = [{"name": "tls", "typed_config": inspector}]
        secure(listener, downstream([self.ca.issue("a", "DNS:a.example")]))
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [])))
        self.port = self.sluice.port("https")

        for arguments in ((), (), ("--tlsv1.2", "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")):
            self.assertEqual(self.curl(*arguments), (0, "hello"))

        def logged():
            lines = contentOf(log).splitlines() if os.path.exists(log) else []
            return len(lines) == 3 and sorted(line.split(" ") for line in lines)

        lines = waitFor(logged, "three lines of the log")
        for line in lines:
            self.assertRegex(" ".join(line), rf"^[0-9a-f]{{32}} t1[23]d\d{{4}}.._[0-9a-f]{{12}}_[0-9a-f]{{12}} {self.port} \d+ (\d+|-) -$")
        ja4 = sorted(line[1] for line in lines)
        self.assertEqual([one[:3] for one in ja4], ["t12", "t13", "t13"])
        self.assertEqual(ja4[1], ja4[2])

    def test_a_handshake_that_fails_says_why_in_the_log(self):
        log = self.scratch.join("access.log")
        access_log = {
            "name": "file",
            "typed_config": {
                "@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": log,
                "log_format": {
                    "text_format_source": {"inline_string": "%RESPONSE_CODE% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n"}
                },
            },
        }
        self.serve(downstream([self.ca.issue("a", "DNS:a.example")]), access_log=[access_log])

        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            client.recv(1000)

        written = waitFor(lambda: os.path.exists(log) and contentOf(log), "the log")
        self.assertRegex(written, r"^0 TLS_error:.*HTTP_REQUEST")

    def test_the_admin_server_shows_certificates_and_when_they_expire(self):
        self.serve(downstream([self.ca.issue("a", "DNS:a.example", days=7)], {"trusted_ca": {"filename": self.ca.cert("ca")}}))

        shown = self.sluice.adminJson("/certs")["certificates"]

        self.assertEqual(len(shown), 1)
        leaf = shown[0]["cert_chain"][0]
        self.assertEqual(leaf["path"], self.ca.cert("a"))
        self.assertEqual(leaf["subject_alt_names"], [{"dns": "a.example"}])
        self.assertIn(int(leaf["days_until_expiration"]), (6, 7))
        self.assertEqual(shown[0]["ca_cert"][0]["path"], self.ca.cert("ca"))
        self.assertIn(self.sluice.stat("server.days_until_first_cert_expiring"), (6, 7))


class ChainTest(TlsTestCase):
    """Two filter chains, each for its name and with a policy of its own."""

    def serveChains(self, by_tree):
        chains = []
        for name in "a", "b":
            listener = httpListener("https", [directResponse(200, name)])
            secure(listener, downstream([self.ca.issue(name, f"DNS:{name}.example")]))
            (chain,) = listener["filter_chains"]
            match = {} if by_tree else {"filter_chain_match": {"server_names": [f"{name}.example"]}}
            chains.append({**chain, "name": name, **match})
        listener["filter_chains"] = chains
        inspector = {"@type": TYPE + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}
        listener["listener_filters"] = [{"name": "tls", "typed_config": inspector}]
        if by_tree:
            name_input = {"@type": TYPE + "envoy.extensions.matching.common_inputs.network.v3.ServerNameInput"}
            to = {}
            for name in "a", "b":
                action = {"@type": TYPE + "google.protobuf.StringValue", "value": name}
                to[f"{name}.example"] = {"action": {"name": "chain", "typed_config": action}}
            tree = {"input": {"name": "name", "typed_config": name_input}, "exact_match_map": {"map": to}}
            listener["filter_chain_matcher"] = {"matcher_tree": tree}
        self.sluice = self.start(Sluice(self.scratch, bootstrap([listener], [])))
        self.port = self.sluice.port("https")

    def test_a_host_of_another_chain_is_misdirected(self):
        for by_tree in False, True:
            with self.subTest(by_tree=by_tree):
                self.serveChains(by_tree)

                self.assertEqual(self.curl(), (0, "a"))
                self.assertEqual(self.curl("-H", "Host: A.example:1"), (0, "a"))
                code, status = self.curl("-H", "Host: b.example", "-o", "/dev/null", "-w", "%{http_code}")
                self.assertEqual((code, status), (0, "421"))
                self.sluice.stop()


class UpstreamTest(TlsTestCase):
    def opensslServer(self, name, *arguments):
        port = freePort()
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", str(port), "-cert", self.ca.cert(name), "-key", self.ca.key(name), "-www",
             "-quiet", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        waitFor(lambda: not self.refused(port), "openssl s_server")
        return port

    def proxy(self, *clusters):
        routes = [route(c["name"], prefix="/" + c["name"], prefix_rewrite="/") for c in clusters]
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", routes)], list(clusters))))
        self.http = self.sluice.port("http")

    def test_a_server_is_believed_only_if_the_authority_and_the_name_are_right(self):
        self.ca.issue("server", "DNS:up.example")
        port = self.opensslServer("server")
        stranger = Authority(self.scratch.join("stranger"), "stranger")
        name = {"san_type": "DNS", "matcher": {"exact": "up.example"}}
        other = {"san_type": "DNS", "matcher": {"exact": "other.example"}}

        def towards(cluster_name, ca, *names):
            validation = {"trusted_ca": {"filename": ca}, "match_typed_subject_alt_names": list(names)}
            return cluster(cluster_name, port, transport_socket=upstreamTls({"validation_context": validation}, sni="up.example"))

        self.proxy(
            towards("good", self.ca.cert("ca"), name),
            towards("stranger", stranger.cert("stranger"), name),
            towards("other", self.ca.cert("ca"), other),
        )

        self.assertEqual(get(self.http, "/good").status, 200)
        refused = get(self.http, "/stranger")
        self.assertEqual(refused.status, 503)
        self.assertEqual(get(self.http, "/other").status, 503)
        self.assertEqual(self.sluice.stat("cluster.stranger.ssl.fail_verify_error"), 1)
        self.assertEqual(self.sluice.stat("cluster.other.ssl.fail_verify_san"), 1)

    def test_a_server_whose_key_may_not_sign_is_refused(self):
        common = {"validation_context": {"trusted_ca": {"filename": self.ca.cert("ca")}}}
        clusters = []
        for kind in ("rsa", "ec"):
            for version in ("tls1_2", "tls1_3"):
                for usage in ("keyEncipherment", "digitalSignature"):
                    name = f"{kind}-{version}-{usage}"
                    self.ca.issue(name, "DNS:up.example", kind=kind, key_usage=usage)
                    port = self.opensslServer(name, "-" + version)
                    clusters.append(cluster(name, port, transport_socket=upstreamTls(common, sni="up.example")))
        self.proxy(*clusters)

        for each in clusters:
            with self.subTest(each["name"]):
                expected = 200 if each["name"].endswith("digitalSignature") else 503
                self.assertEqual(get(self.http, "/" + each["name"]).status, expected)

    def test_that_the_key_usage_of_servers_does_not_count_is_ignored_with_a_warning(self):
        self.ca.issue("server", "DNS:up.example", kind="rsa", key_usage="keyEncipherment")
        port = self.opensslServer("server", "-tls1_2")
        common = {"validation_context": {"trusted_ca": {"filename": self.ca.cert("ca")}}}
        self.proxy(cluster("up", port, transport_socket=upstreamTls(common, sni="up.example", enforce_rsa_key_usage=False)))

        self.assertEqual(get(self.http, "/up").status, 503)
        self.assertRegex(self.sluice.log(), "warning.*enforce_rsa_key_usage.*is without effect")

    def test_a_client_certificate_is_shown_to_servers_that_ask(self):
        self.ca.issue("server", "DNS:up.example")
        self.ca.issue("proxy", "URI:spiffe://x/proxy")
        port = self.opensslServer("server", "-Verify", "1", "-verify_return_error", "-CAfile", self.ca.cert("ca"))
        common = {"validation_context": {"trusted_ca": {"filename": self.ca.cert("ca")}}}
        with_certificate = {**common, "tls_certificates": [self.ca.files("proxy")]}

        self.proxy(
            cluster("shown", port, transport_socket=upstreamTls(with_certificate)),
            cluster("bare", port, transport_socket=upstreamTls(common)),
        )

        self.assertEqual(get(self.http, "/shown").status, 200)
        self.assertEqual(get(self.http, "/bare").status, 503)


    def test_nginx_is_reached_by_tls_with_the_name_and_the_version(self):
        files = self.ca.issue("server", "DNS:up.example")
        port = freePort()
        config = self.scratch.write(
            "nginx.conf",
            f"""daemon off; master_process off; pid {self.scratch.join("nginx.pid")}; error_log stderr;
            events {{}}
            http {{
              access_log off;
              client_body_temp_path {self.scratch.join("body")}; proxy_temp_path {self.scratch.join("proxy")};
              fastcgi_temp_path {self.scratch.join("f")}; uwsgi_temp_path {self.scratch.join("u")};
              scgi_temp_path {self.scratch.join("s")};
              server {{
                listen 127.0.0.1:{port} ssl;
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_certificate {files["certificate_chain"]["filename"]};
                ssl_certificate_key {files["private_key"]["filename"]};
                location / {{ return 200 "$ssl_server_name $ssl_protocol $ssl_session_reused"; }}
              }}
            }}""",
        )
        self.addCleanup(Process(["nginx", "-c", config], self.scratch, "nginx").kill)
        waitFor(lambda: not self.refused(port), "nginx")
        name = {"san_type": "DNS", "matcher": {"exact": "up.example"}}
        validation = {"trusted_ca": {"filename": self.ca.cert("ca")}, "match_typed_subject_alt_names": [name]}
        up = cluster("up", port, transport_socket=upstreamTls({"validation_context": validation}, sni="up.example"))
        self.sluice = self.start(Sluice(self.scratch, bootstrap([httpListener("http", [route("up")])], [up])))

        body = get(self.sluice.port("http"), "/").body

        self.assertEqual(body.split()[:2], [b"up.example", b"TLSv1.3"])


class SecretTest(TlsTestCase):
    def secretFile(self, name, secret):
        """A DiscoveryResponse with one secret, moved into place."""
        path = self.scratch.join(name + ".sds.json")
        response = {"version_info": "1", "resources": [{"@type": TLS + "Secret", "name": name, **secret}]}
        with open(path + ".new", "w") as file:
            json.dump(response, file)
        os.replace(path + ".new", path)
        return path

    def sds(self, name, path, **more):
        return {"name": name, "sds_config": {"path_config_source": {"path": path}, **more}}

    def shown(self):
        return self.subject("-servername", "a.example")

    def test_a_secret_of_the_bootstrap_is_used_by_name(self):
        files = self.ca.issue("a", "DNS:a.example")
        listener = secure(
            httpListener("https", [directResponse(200, "hello")]),
            downstream(common={"tls_certificate_sds_secret_configs": [{"name": "mine"}]}),
        )
        config = bootstrap([listener], [])
        config["static_resources"]["secrets"] = [{"name": "mine", "tls_certificate": files}]
        self.sluice = self.start(Sluice(self.scratch, config))
        self.port = self.sluice.port("https")

        self.assertEqual(self.curl(), (0, "hello"))

    def test_a_secret_that_comes_late_closes_connections_until_it_is_there(self):
        path = self.secretFile("cert", {"tls_certificate": self.ca.issue("other")})
        missing = self.sds("missing", path, initial_fetch_timeout="0.2s")
        self.serve(downstream(common={"tls_certificate_sds_secret_configs": [missing]}))

        self.assertNotEqual(self.curl()[0], 0)
        stats = self.sluice.stats("listener.")
        self.assertGreaterEqual(
            sum(v for k, v in stats.items() if k.endswith("downstream_context_secrets_not_ready")), 1
        )

        files = self.ca.issue("a", "DNS:a.example")
        response = {"resources": [{"@type": TLS + "Secret", "name": "missing", "tls_certificate": files}]}
        with open(path + ".new", "w") as file:
            json.dump(response, file)
        os.replace(path + ".new", path)
        waitFor(lambda: self.curl() == (0, "hello"), "the secret to be used")

    def test_files_of_a_secret_are_read_again_and_bad_ones_leave_the_good_ones(self):
        self.ca.issue("one", "DNS:a.example")
        self.ca.issue("two", "DNS:a.example")
        live = self.scratch.join("live")
        os.makedirs(live)

        def put(name, source):
            shutil.copy(source, os.path.join(live, name + ".new"))
            os.replace(os.path.join(live, name + ".new"), os.path.join(live, name))

        put("tls.crt", self.ca.cert("one"))
        put("tls.key", self.ca.key("one"))
        certificate = {
            "certificate_chain": {"filename": os.path.join(live, "tls.crt")},
            "private_key": {"filename": os.path.join(live, "tls.key")},
            "watched_directory": {"path": live},
        }
        path = self.secretFile("cert", {"tls_certificate": certificate})
        self.serve(downstream(common={"tls_certificate_sds_secret_configs": [self.sds("cert", path)]}))
        self.assertEqual(self.shown(), "one")
        failed = lambda: self.sluice.stat("sds.cert.key_rotation_failed")  # noqa: E731

        put("tls.crt", self.ca.cert("two"))  # with the key of the first
        waitFor(lambda: failed() >= 1, "the mismatch to be seen")
        self.assertEqual(self.shown(), "one")

        put("tls.key", self.ca.key("two"))
        waitFor(lambda: self.shown() == "two", "the second certificate")

        before = failed()
        with open(self.ca.cert("one")) as file:
            half = file.read()[:200]
        with open(os.path.join(live, "half"), "w") as file:
            file.write(half)
        os.replace(os.path.join(live, "half"), os.path.join(live, "tls.crt"))
        waitFor(lambda: failed() > before, "the half-written file to be seen")
        self.assertEqual(self.shown(), "two")
        self.assertEqual(self.curl(), (0, "hello"))

    def dumped(self, field):
        configs = self.sluice.adminJson("/config_dump")["configs"]
        return next(part.get(field, []) for part in configs if part["@type"].endswith("SecretsConfigDump"))

    def byAds(self, delta):
        server = self.start(AdsServer())
        self.port = freePort()
        ads = {"ads": {}, "resource_api_version": "V3"}
        socket = downstream(common={"tls_certificate_sds_secret_configs": [{"name": "cert", "sds_config": ads}]})
        listener = httpListener("https", [directResponse(200, "hello")], address=socketAddress(self.port))
        server.set(CLUSTER)
        server.set(LISTENER, secure(listener, socket))
        self.sluice = self.start(Sluice(self.scratch, xdsBootstrap(server.port, delta), wait=False))

        def secret(certificate, key):
            files = {
                "certificate_chain": {"inline_string": contentOf(self.ca.cert(certificate))},
                "private_key": {"inline_string": contentOf(self.ca.key(key))},
            }
            server.set(TLS + "Secret", {"name": "cert", "tls_certificate": files})

        self.ca.issue("one", "DNS:a.example")
        self.ca.issue("two", "DNS:a.example")
        waitFor(lambda: self.sluice.stat("listener_manager.total_listeners_warming") == 1, "the listener to warm")
        self.assertNotIn("https", self.sluice.addresses())
        self.assertEqual(self.dumped("dynamic_warming_secrets")[0]["name"], "cert")

        secret("one", "one")
        waitFor(lambda: self.shown() == "one", "the first certificate")
        secret("two", "one")
        waitFor(lambda: server.verdict(TLS + "Secret"), "the mismatch to be refused")
        self.assertIn("cert", server.verdict(TLS + "Secret"))
        self.assertEqual(self.shown(), "one")
        secret("two", "two")
        waitFor(lambda: self.shown() == "two", "the second certificate")
        self.assertNotIn("PRIVATE KEY", self.sluice.admin("/config_dump").body.decode())
        active = self.dumped("dynamic_active_secrets")[0]
        self.assertEqual((active["name"], active["client_status"]), ("cert", "ACKED"))
        shown = active["secret"]["tls_certificate"]
        self.assertEqual(shown["certificate_chain"]["inline_string"], contentOf(self.ca.cert("two")))
        self.assertEqual(shown["private_key"]["inline_string"], "[redacted]")

    def test_a_secret_by_ads_warms_its_listener_and_is_refused_by_name(self):
        self.byAds(delta=False)

    def test_a_secret_by_incremental_ads_does_the_same(self):
        self.byAds(delta=True)

    def test_rotation_under_load_drops_no_handshake(self):
        names = ["r0", "r1"]
        for name in names:
            self.ca.issue(name, "DNS:a.example")
        live = self.scratch.join("live")
        os.makedirs(live)

        def put(name, source, size=None):
            with open(source) as file:
                content = file.read()[:size]
            with open(os.path.join(live, name + ".new"), "w") as file:
                file.write(content)
            os.replace(os.path.join(live, name + ".new"), os.path.join(live, name))

        put("tls.crt", self.ca.cert("r0"))
        put("tls.key", self.ca.key("r0"))
        certificate = {
            "certificate_chain": {"filename": os.path.join(live, "tls.crt")},
            "private_key": {"filename": os.path.join(live, "tls.key")},
            "watched_directory": {"path": live},
        }
        path = self.secretFile("cert", {"tls_certificate": certificate})
        self.serve(downstream(common={"tls_certificate_sds_secret_configs": [self.sds("cert", path)]}))
        stop = threading.Event()
        results = {"ok": 0, "failed": []}

        def load():
            import ssl
            import socket

            context = ssl.create_default_context(cafile=self.ca.cert("ca"))
            while not stop.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
                        with context.wrap_socket(plain, server_hostname="a.example") as tls:
                            tls.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
                            answer = tls.recv(100)
                    if not answer.startswith(b"HTTP/1.1 200"):
                        raise OSError(f"answer {answer!r}")
                    results["ok"] += 1
                except OSError as error:
                    results["failed"].append(str(error))

        thread = threading.Thread(target=load)
        thread.start()
        try:
            for i in range(1, ROTATIONS + 1):
                name = names[i % 2]
                if i % 5 == 0:
                    put("tls.crt", self.ca.cert(name), size=100)  # half written
                put("tls.crt", self.ca.cert(name))  # with the other's key, for a moment
                put("tls.key", self.ca.key(name))
                waitFor(lambda: self.shown() == name, f"rotation {i}")
        finally:
            stop.set()
            thread.join()
        self.assertEqual(results["failed"], [])
        self.assertGreater(results["ok"], ROTATIONS // 4)  # some, whatever else the machine does


if __name__ == "__main__":
    unittest.main()
