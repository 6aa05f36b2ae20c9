"""The HTTP filter jwt_authn in a running proxy: tokens of python3-jwcrypto, and keys that a server here gives out, or does not."""
import json
import os
import secrets
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.client import reader, requestBytes  # noqa: E402
from harness.config import TYPE  # noqa: E402
from harness.upstream import freePort  # noqa: E402

try:
    from jwcrypto import jwk, jws
    from jwcrypto.common import base64url_encode
except ImportError as error:
    raise unittest.SkipTest(f"{error}: run tools/setup test")

VERSIONS = ("--http1.1", "--http2-prior-knowledge")
NAME = "envoy.filters.http.jwt_authn"
JWT = TYPE + "envoy.extensions.filters.http.jwt_authn.v3."
ALGORITHMS = {"EC": "ES256", "OKP": "EdDSA", "RSA": "RS256"}
DENIED = "jwt_authn_access_denied"
ISSUER = "https://idp.example/"

KEYS = {
    "a": jwk.JWK.generate(kty="EC", crv="P-256", kid="a"),
    "b": jwk.JWK.generate(kty="OKP", crv="Ed25519", kid="b"),
    "c": jwk.JWK.generate(kty="RSA", size=2048, kid="c"),
}
STRANGER = jwk.JWK.generate(kty="EC", crv="P-256", kid="a")


def keySet(*kids):
    return json.dumps({"keys": [json.loads(KEYS[kid].export_public()) for kid in kids]})


def token(kid="a", key=None, **claims):
    """Good for an hour; a claim that is None is left out."""
    key = key or KEYS[kid]
    all_claims = {"iss": ISSUER, "sub": "ann", "exp": int(time.time()) + 3600, **claims}
    signer = jws.JWS(json.dumps({name: value for name, value in all_claims.items() if value is not None}))
    signer.add_signature(key, None, json.dumps({"alg": ALGORITHMS[json.loads(key.export_public())["kty"]], "kid": kid}))
    return signer.serialize(compact=True)


def encoded(value):
    return base64url_encode(json.dumps(value))


def unsigned():
    return f"{encoded({'alg': 'none'})}.{encoded({'iss': ISSUER, 'sub': 'ann'})}."


def unknown():
    """Of a key that nobody knows, named by chance."""
    header = {"alg": "ES256", "kid": secrets.token_hex(8)}
    return f"{encoded(header)}.{encoded({'iss': ISSUER, 'sub': 'ann'})}.{base64url_encode(secrets.token_bytes(64))}"


def bearer(text):
    return ["-H", f"Authorization: Bearer {text}"]


def local(*kids, **more):
    return {"issuer": ISSUER, "local_jwks": {"inline_string": keySet(*kids)}, **more}


def rule(prefix, **requires):
    return {"match": {"prefix": prefix}, "requires": requires}


def of(*providers):
    return {"requirements": [each if isinstance(each, dict) else {"provider_name": each} for each in providers]}


class JwtCase(SluiceTestCase):
    def serve(self, providers, rules=None, routes=None, behind=(), clusters=(), wait=True, **fields):
        """A proxy where all is for tokens of the first provider, or as the rules say."""
        if not hasattr(self, "upstream"):
            self.upstream = self.start(HttpUpstream())
        self.access_log = self.scratch.join("access.log")
        line = "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(sluice.identity:subject)%\n"
        if rules is None:
            rules = [rule("/", provider_name=next(iter(providers)))]
        entry = httpFilter(NAME, JWT[len(TYPE) :] + "JwtAuthentication", providers=providers, rules=rules, **fields)
        listener = httpListener(
            "http", routes or [route("up")], filters=[entry, *behind], access_log=[fileLog(self.access_log, line)]
        )
        config = bootstrap([listener], [cluster("up", self.upstream.port), *clusters])
        self.sluice = self.start(Sluice(self.scratch, config, wait=wait))
        self.port = self.sluice.port("http") if wait else None
        return self.sluice

    def status(self, *arguments, path="/", version="--http1.1"):
        url = f"http://127.0.0.1:{self.port}{path}"
        code, out = curl(version, "-o", "/dev/null", "-w", "%{http_code}", *arguments, url)
        self.assertEqual(code, 0)
        return int(out)

    def check(self, expected, *arguments, path="/"):
        for version in VERSIONS:
            with self.subTest(arguments=arguments, path=path, version=version):
                self.assertEqual(self.status(*arguments, path=path, version=version), expected)

    def seen(self, *arguments, path="/", version="--http1.1"):
        """The request as the upstream has it."""
        self.assertEqual(self.status(*arguments, path=path, version=version), 200)
        return self.upstream.next()

    def logged(self, count):
        def lines():
            with open(self.access_log) as file:
                found = file.read().splitlines()
            return len(found) >= count and found

        return waitFor(lines, f"{count} lines of the access log")

    def counted(self, name):
        return self.sluice.stat("http.http.jwt_authn." + name)

    def told(self):
        """All that the proxy says of itself."""
        pages = "".join(self.sluice.admin(page).body.decode() for page in ("/config_dump", "/jwks", "/stats", "/clusters"))
        return pages + self.sluice.log()

    def checkNoKeyIsTold(self):
        told = self.told()
        self.assertIn(NAME, told)
        for key in KEYS.values():
            public = json.loads(key.export_public())
            for name in {"x", "y", "n"} & set(public):
                self.assertNotIn(public[name], told)


class TokenTest(JwtCase):
    def test_one_token_is_let_in_and_the_others_are_refused_by_their_reasons(self):
        self.serve({"idp": local("a", "c", audiences=["https://api.example"])})
        now = int(time.time())
        good = token(aud="https://api.example/")
        form = "Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections"
        unknown_key = "Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt"
        cases = [
            (200, bearer(good), None),
            (200, bearer(token("c", aud=["x", "api.example"])), None),
            (200, bearer(token(aud="api.example", exp=None)), None),
            (401, [], "Jwt_is_missing"),
            (401, bearer(token(aud="api.example", exp=now - 3600)), "Jwt_is_expired"),
            (401, bearer(token(aud="api.example", nbf=now + 3600)), "Jwt_not_yet_valid"),
            (401, bearer(token(aud="api.example", iss="https://other.example/")), "Jwt_issuer_is_not_configured"),
            (401, bearer(token(aud="api.example", iss=None)), "Jwt_issuer_is_not_configured"),
            (403, bearer(token(aud="https://other.example")), "Audiences_in_Jwt_are_not_allowed"),
            (403, bearer(token()), "Audiences_in_Jwt_are_not_allowed"),
            (401, bearer(token(aud="api.example", key=STRANGER)), "Jwt_verification_fails"),
            (401, bearer(good[:-8] + "AAAAAAAA"), "Jwt_verification_fails"),
            (401, bearer(token("b", aud="api.example")), unknown_key),
            (401, bearer(unsigned()), "Jwt_header_[alg]_is_not_supported"),
            (401, bearer("sesame"), form),
            (401, bearer(good) + bearer("sesame"), form),
            (401, bearer("sesame") + bearer(good), form),
        ]

        for status, arguments, _ in cases:
            self.check(status, *arguments)

        expected = []
        for status, _, why in cases:
            expected += [f"{status} {DENIED}{{{why}}} -" if why else "200 via_upstream ann"] * len(VERSIONS)
        self.assertEqual(self.logged(len(expected)), expected)
        self.assertEqual(self.upstream.requests.qsize(), 6)
        self.assertEqual((self.counted("allowed"), self.counted("denied")), (6, len(expected) - 6))
        # Remembered is what was verified, those for another audience and beside "sesame" as well.
        self.assertEqual(self.counted("jwt_cache_hit"), 7)
        self.assertNotIn(good.rpartition(".")[2], self.told())

    def test_a_refusal_says_what_is_asked_for_and_not_more(self):
        self.serve({"idp": local("a")})

        missing = get(self.port, "/p?access=1")
        bad = get(self.port, f"/p?access_token={unsigned()}")

        self.assertEqual((missing.status, missing.body), (401, b"Jwt is missing"))
        self.assertEqual(missing.header("www-authenticate"), 'Bearer realm="http://test.example/p"')
        self.assertEqual((bad.status, bad.body), (401, b"Jwt header [alg] is not supported"))
        self.assertEqual(bad.header("www-authenticate"), 'Bearer realm="http://test.example/p", error="invalid_token"')

    def test_headers_of_tokens_are_never_the_clients(self):
        claims = [{"header_name": "x-user", "claim_name": "sub"}, {"header_name": "x-role", "claim_name": "realm.role"}]
        provider = local("a", claim_to_headers=claims, forward_payload_header="x-payload")
        self.serve({"idp": provider}, rules=[rule("/api", provider_name="idp")])
        forged = []
        for name in ("x-user", "X-User", "x_user", "x-role", "X.Role", "x-payload"):
            forged += ["-H", f"{name}: root"]

        for version in VERSIONS:
            with self.subTest(version=version):
                text = token(realm={"role": "clerk"})
                seen = self.seen(*forged, *bearer(text), path="/api", version=version)
                self.assertEqual((seen.header("x-user"), seen.header("x-role")), ("ann", "clerk"))
                self.assertEqual(seen.header("x-payload"), text.split(".")[1])
                self.assertNotIn("root", [value for _, value in seen.headers])
                for path in ("/api", "/open"):
                    arguments = bearer(token(sub=None)) if path == "/api" else []
                    seen = self.seen(*forged, *arguments, path=path, version=version)
                    self.assertNotIn("root", [value for _, value in seen.headers])

    def test_tokens_are_taken_off_and_nothing_else_is(self):
        places = {
            "from_headers": [{"name": "x-token", "value_prefix": "Token "}],
            "from_params": ["t"],
            "from_cookies": ["session"],
        }
        self.serve(
            {"idp": local("a", **places), "kept": local("a", forward=True)},
            rules=[rule("/kept", provider_name="kept"), rule("/", provider_name="idp")],
        )
        text = token()

        for version in VERSIONS:
            with self.subTest(version=version):
                own = ["-H", "Authorization: Basic eA=="]
                seen = self.seen("-H", f"X-Token: Token {text}", *own, path="/p?a=1&b=t", version=version)
                self.assertEqual((seen.header("x-token"), seen.header("authorization")), (None, "Basic eA=="))
                self.assertEqual(seen.path, "/p?a=1&b=t")
                self.assertEqual(self.seen(path=f"/p?a=1&t={text}&b=2", version=version).path, "/p?a=1&b=2")
                self.assertEqual(self.seen(path=f"/p?%74={text}", version=version).path, "/p")
                seen = self.seen("-b", f"a=1; session={text}; b=2", version=version)
                self.assertEqual(seen.header("cookie"), "a=1; b=2")
                self.assertEqual(self.seen(*bearer(text), path="/kept", version=version).header("authorization"), "Bearer " + text)
        self.check(401, *bearer(text))
        self.check(401, "-H", f"X-Token: {text}")

    def test_several_tokens_are_all_good_and_the_first_says_who_asks(self):
        header = [{"name": "x-token"}]
        claims = [{"header_name": "x-user", "claim_name": "sub"}]
        self.serve({"idp": local("a", from_headers=header, from_params=["t"], claim_to_headers=claims)})
        ann, bob, bad = token(), token(sub="bob"), token(sub="root", key=STRANGER)

        for version in VERSIONS:
            with self.subTest(version=version):
                seen = self.seen("-H", f"x-token: {bob}", path=f"/?t={ann}", version=version)
                self.assertEqual((seen.header("x-user"), seen.header("x-token"), seen.path), ("bob", None, "/"))
        self.check(401, "-H", f"x-token: {ann}", path=f"/?t={bad}")
        self.check(401, "-H", f"x-token: {bad}", path=f"/?t={ann}")
        self.check(401, "-H", f"x-token: {ann}", "-H", f"x-token: {bad}")
        self.assertEqual({line.split()[-1] for line in self.logged(8) if line.startswith("200")}, {"bob"})

    def test_requirements_are_trees(self):
        a, b = ["-H", f"x-a: {token('a')}"], ["-H", f"x-b: {token('b', sub='bob')}"]
        bad_a, bad_b = ["-H", f"x-a: {token(key=STRANGER)}"], ["-H", f"x-b: {unsigned()}"]
        providers = {kid: local(kid, from_headers=[{"name": f"x-{kid}"}]) for kid in ("a", "b")}
        self.serve(
            providers,
            rules=[
                rule("/any", requires_any=of("a", "b")),
                rule("/all", requires_all=of("a", "b")),
                rule("/maybe", requires_any=of("a", {"allow_missing": {}})),
                rule("/lax", requires_any=of("a", {"allow_missing_or_failed": {}})),
                rule("/deep", requires_all=of("a", {"requires_any": of("b", {"allow_missing": {}})})),
                rule("/audience", provider_and_audiences={"provider_name": "a", "audiences": ["ledger"]}),
                {"match": {"prefix": "/named"}, "requirement_name": "both"},
                {"match": {"path": "/free"}},
            ],
            requirement_map={"both": {"requires_all": of("a", "b")}},
        )
        table = {
            "/any": {"a": 200, "b": 200, "ab": 200, "": 401, "A": 401, "Ab": 200, "aB": 200},
            "/all": {"a": 401, "b": 401, "ab": 200, "": 401, "Ab": 401, "aB": 401},
            "/named": {"a": 401, "ab": 200, "aB": 401},
            "/maybe": {"a": 200, "": 200, "A": 401, "I": 401, "b": 200},
            "/lax": {"a": 200, "": 200, "A": 200, "I": 200},
            "/deep": {"a": 200, "ab": 200, "aB": 401, "b": 401, "": 401},
            "/audience": {"a": 403, "": 401},
            "/free": {"": 200, "A": 200},
            "/elsewhere": {"": 200, "A": 200},
        }
        tokens = {"a": a, "b": b, "A": bad_a, "B": bad_b, "I": ["-H", f"x-a: {token(iss='https://other.example/')}"]}

        for path, cases in table.items():
            for letters, status in cases.items():
                with self.subTest(tokens=letters):
                    arguments = [part for letter in letters for part in tokens[letter]]
                    self.check(status, *arguments, path=path)
        self.check(200, "-H", f"x-a: {token(aud='ledger')}", path="/audience")

    def test_routes_have_requirements_of_their_own(self):
        def own(**fields):
            return {"typed_per_filter_config": {NAME: {"@type": JWT + "PerRouteConfig", **fields}}}

        self.serve(
            {"a": local("a", claim_to_headers=[{"header_name": "x-user", "claim_name": "sub"}]), "b": local("b")},
            routes=[
                {**route("up", "/off"), **own(disabled=True)},
                {**route("up", "/own"), **own(requirement_name="only_b")},
                {**route("up", "/lost"), **own(requirement_name="nobody")},
                route("up"),
            ],
            requirement_map={"only_b": {"provider_name": "b"}},
        )

        self.check(200, path="/off")
        self.assertTrue(self.upstream.next() and self.upstream.next())
        self.assertIsNone(self.seen("-H", "x-user: root", path="/off").header("x-user"))
        self.check(401, path="/own")
        self.check(401, *bearer(token("a")), path="/own")
        self.check(200, *bearer(token("b")), path="/own")
        self.check(403, *bearer(token("b")), path="/lost")
        self.check(401, *bearer(token("b")))
        self.check(200, *bearer(token("a")))
        # However it is spelled: it is the route that counts.
        self.check(401, "--path-as-is", path="/off/../own")

    def test_roles_are_groups_of_the_token(self):
        groups = {
            "filter": "sluice.identity",
            "path": [{"key": "groups"}],
            "value": {"list_match": {"one_of": {"string_match": {"exact": "admin"}}}},
        }
        policy = {
            "permissions": [{"any": True}],
            "principals": [{"sourced_metadata": {"metadata_matcher": groups}}],
        }
        rbac = httpFilter(
            "envoy.filters.http.rbac",
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            rules={"action": "ALLOW", "policies": {"admins": policy}},
        )
        self.serve({"idp": local("a")}, rules=[rule("/", requires_any=of("idp", {"allow_missing": {}}))], behind=[rbac])

        self.check(200, *bearer(token(groups=["clerk", "admin"])))
        for groups in (["clerk"], ["administrator"], "admin", ["admin", 7], [], {"admin": True}, None):
            self.check(403, *bearer(token(groups=groups)))
        self.check(403)
        self.check(401, *bearer(token(groups=["admin"], key=STRANGER)))
        self.assertEqual(self.upstream.requests.qsize(), 2)

    def test_keys_of_a_file_are_followed_and_keys_are_not_shown(self):
        path = self.scratch.write("keys/jwks.json", keySet("a"))
        source = {"filename": path, "watched_directory": {"path": os.path.dirname(path)}}
        self.serve({"file": {"issuer": ISSUER, "local_jwks": source}, "inline": local("c")})
        self.check(200, *bearer(token("a")))
        self.check(401, *bearer(token("b")))

        self.scratch.write("keys/jwks.json", keySet("b"))
        waitFor(lambda: self.status(*bearer(token("b"))) == 200, "the new keys")
        self.check(401, *bearer(token("a")))
        self.scratch.write("keys/jwks.json", '{"keys": []}')
        waitFor(lambda: "the keys that were read before hold" in self.sluice.log(), "the refusal in the log")
        self.check(200, *bearer(token("b")))

        self.checkNoKeyIsTold()


class KeyServer(HttpUpstream):
    """Gives out these keys, or `reply` if there is one, not before `gate` is set."""

    def __init__(self, *kids, port=0):
        self.kids = kids
        self.reply = None
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(self.answer, address=("127.0.0.1", port))

    def answer(self, request):
        self.gate.wait(30)
        return self.reply or Reply(200, keySet(*self.kids).encode())

    def stop(self):
        self.gate.set()
        super().stop()

    @property
    def fetches(self):
        return self.requests.qsize()


class RemoteTest(JwtCase):
    def serveRemote(self, port, timeout="5s", wait=True, fast=False, **more):
        remote = {
            "http_uri": {"uri": "https://idp.example/keys", "cluster": "idp", "timeout": timeout},
            "async_fetch": {"fast_listener": fast, "failed_refetch_duration": "0.01s"},
            **more,
        }
        return self.serve(
            {"idp": {"issuer": ISSUER, "remote_jwks": remote}}, clusters=[cluster("idp", port)], wait=wait
        )

    def keySets(self):
        (found,) = self.sluice.adminJson("/jwks")["key_sets"]
        return found

    def flood(self, count, connections=4, batch=50):
        """Requests with keys that nobody knows; their statuses."""
        statuses = []

        def send():
            with rawConnection(self.port) as sock:
                source = reader(sock)
                for _ in range(count // connections // batch):
                    sock.sendall(b"".join(requestBytes("GET", "/", [("authorization", "Bearer " + unknown())]) for _ in range(batch)))
                    statuses.extend(readResponse(source).status for _ in range(batch))

        threads = [threading.Thread(target=send) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses

    def test_keys_are_there_before_the_listener_is_and_nobody_sees_them(self):
        server = self.start(KeyServer("a", "b", "c"))
        self.serveRemote(server.port)

        for kid in KEYS:
            self.check(200, *bearer(token(kid)))

        fetch = server.next()
        self.assertEqual((server.fetches, fetch.method, fetch.path), (0, "GET", "/keys"))
        self.assertEqual((fetch.header("host"), fetch.header("authorization")), ("idp.example", None))
        found = self.keySets()
        kids = [(key["kid"], key["alg"]) for key in found["keys"]]
        self.assertEqual([kids[0], kids[1]], [("a", "ES256"), ("b", "EdDSA")])
        self.assertEqual((kids[2][0], "RS256" in kids[2][1]), ("c", True))
        self.assertEqual((found["uri"], found["cluster"]), ("https://idp.example/keys", "idp"))
        self.assertEqual((found["failures_in_a_row"], "last_error" in found), (0, False))
        self.checkNoKeyIsTold()
        self.assertEqual(self.counted("jwks_fetch_success"), 1)

    def test_without_keys_nobody_gets_in_and_all_do_when_they_have_come(self):
        started = time.monotonic()
        patient = self.serveRemote(freePort(), wait=False)
        port = freePort()
        self.serveRemote(port, fast=True)
        self.check(503, *bearer(token()))
        refused = get(self.port, headers=[("authorization", "Bearer " + token())])
        self.assertEqual((refused.status, refused.body), (503, b"Jwks remote fetch is failed"))
        self.check(401)
        self.assertIn(f"503 {DENIED}{{Jwks_remote_fetch_is_failed}} -", self.logged(5))
        self.assertIn("keys of https://idp.example/keys could not be fetched", self.sluice.log())
        self.assertTrue(self.keySets()["last_error"])

        self.start(KeyServer("a", port=port))
        waitFor(lambda: self.status(*bearer(token())) == 200, "the keys")
        self.assertIn("were fetched again", self.sluice.log())

        patient.waitUntilReady()
        self.assertGreaterEqual(time.monotonic() - started, 5)
        self.sluice, self.port = patient, patient.port("http")
        self.check(503, *bearer(token()))

    def test_old_keys_go_on_while_no_others_can_be_fetched(self):
        server = self.start(KeyServer("a", port=freePort()))
        self.serveRemote(server.port, cache_duration="0.1s")
        self.check(200, *bearer(token()))

        server.stop()
        waitFor(lambda: self.counted("jwks_fetch_failed") >= 2, "failed fetches")
        self.check(200, *bearer(token(sub="bob")))
        self.assertIn("those that were fetched before stay in use", self.sluice.log())
        found = self.keySets()
        self.assertEqual([key["kid"] for key in found["keys"]], ["a"])
        self.assertGreaterEqual(found["failures_in_a_row"], 2)

        server = self.start(KeyServer("b", port=server.port))
        waitFor(lambda: self.status(*bearer(token("b"))) == 200, "the new keys")
        self.check(401, *bearer(token("a")))
        # What is no key set changes nothing either.
        huge = keySet("a").encode() + b" " * (4 << 20)
        for reply in (Reply(200, b"<html>"), Reply(200, b'{"keys": []}'), Reply(404, keySet("a").encode()), Reply(200, huge)):
            server.reply, failed = reply, self.counted("jwks_fetch_failed")
            waitFor(lambda: self.counted("jwks_fetch_failed") > failed, "another failed fetch")
            self.check(200, *bearer(token("b")))
            self.check(401, *bearer(token("a")))
            server.reply, good = None, self.counted("jwks_fetch_success")
            waitFor(lambda: self.counted("jwks_fetch_success") > good, "a good one")

    def test_requests_wait_for_one_fetch_however_many_they_are(self):
        server = self.start(KeyServer("a"))
        server.gate.clear()
        self.serveRemote(server.port, fast=True)
        good, statuses = token(), []

        def ask(text):
            statuses.append(get(self.port, headers=[("authorization", "Bearer " + text)]).status)

        threads = [threading.Thread(target=ask, args=(text,)) for text in [good] * 20 + [unknown() for _ in range(100)]]
        for thread in threads:
            thread.start()
        waitFor(lambda: self.sluice.stat("http.http.downstream_rq_active") == len(threads), "all of them to wait")
        self.assertEqual((server.fetches, statuses), (1, []))
        server.gate.set()
        for thread in threads:
            thread.join()

        self.assertEqual(sorted(statuses), [200] * 20 + [401] * 100)
        self.assertEqual(server.fetches, 1)

    def test_a_server_that_says_nothing_is_given_up(self):
        server = self.start(KeyServer("a"))
        server.gate.clear()
        self.serveRemote(server.port, timeout="0.2s", fast=True)

        waitFor(lambda: self.counted("jwks_fetch_failed") >= 1, "the end of a fetch")
        self.check(503, *bearer(token()))
        self.check(401)

    def test_redirects_are_not_followed(self):
        server = self.start(KeyServer("a"))
        elsewhere = self.start(KeyServer("a"))
        there = f"http://127.0.0.1:{elsewhere.port}/keys"
        server.reply = Reply(302, keySet("a").encode(), [("Location", there)])
        self.serveRemote(server.port, fast=True)

        waitFor(lambda: self.counted("jwks_fetch_failed") >= 2, "failed fetches")
        self.check(503, *bearer(token()))
        self.assertEqual(self.keySets()["last_error"], "the answer was 302")
        self.assertEqual(elsewhere.fetches, 0)
        self.assertEqual({server.next().path for _ in range(server.fetches)}, {"/keys"})

    def test_new_keys_are_fetched_once_and_invented_ones_cause_no_more(self):
        started = time.monotonic()
        server = self.start(KeyServer("a"))
        self.serveRemote(server.port)
        self.check(200, *bearer(token("a")))

        def atMostOneInTenSeconds():
            # What has begun in turn, ten seconds apart, since there was a proxy.
            fetches = server.fetches
            self.assertLessEqual((fetches - 1) * 10, time.monotonic() - started)
            return fetches

        self.assertEqual(set(self.flood(5000)), {401})
        before = atMostOneInTenSeconds()
        server.kids = ("b",)
        new = token("b")
        waitFor(lambda: self.status(*bearer(new)) == 200, "a fetch", timeout=20)
        self.assertEqual(server.fetches, before + 1)
        self.check(200, *bearer(token("b", sub="bob")))
        self.check(401, *bearer(token("a")))
        self.assertEqual(set(self.flood(5000)), {401})
        self.check(200, *bearer(new))
        atMostOneInTenSeconds()
        self.assertGreaterEqual(self.counted("denied"), 10000)


if __name__ == "__main__":
    unittest.main()
