"""The HTTP filter oauth2_server in a running proxy, with clients of the Python library; tokens are checked by python3-jwcrypto."""
import base64
import hashlib
import http.client
import json
import os
import secrets
import ssl
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from harness.pki import Authority  # noqa: E402

try:
    from jwcrypto import jwk, jwt
except ImportError as error:
    raise unittest.SkipTest(f"{error}: run tools/setup test")

ISSUER = "https://as.example"
API = "https://api.example"
RETURN = "https://app.example/cb"
SECRET = "sesame"
HASH = {"sha256": hashlib.sha256(SECRET.encode()).hexdigest()}
BASIC_AUTH = "envoy.filters.http.basic_auth"
PER_ROUTE = {"typed_per_filter_config": {BASIC_AUTH: {"@type": TYPE + "envoy.config.route.v3.FilterConfig", "disabled": True}}}
CLIENTS = [
    {
        "id": "app",
        "secrets": [HASH],
        "redirect_uris": [RETURN],
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "scopes": ["read", "write"],
        "audiences": [API],
    },
    {
        "id": "native",
        "redirect_uris": ["http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": ["read"],
        "audiences": [API],
    },
    {"id": "api", "secrets": [HASH], "grant_types": ["client_credentials"], "audiences": ["self"], "introspects": [API]},
    {
        "id": "robot",
        "certificate": {"dns_san": "robot.example"},
        "grant_types": ["client_credentials"],
        "scopes": ["read"],
        "audiences": [API],
    },
]


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def returned(self):
        """The parameters with which the user is sent back."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.headers["location"]).query))


class Client:
    """One that speaks to a token server, as its documents say."""

    def __init__(self, port, id="app", secret=SECRET, tls=None):
        self.port, self.id, self.secret, self.tls = port, id, secret, tls

    def send(self, method, path, body=None, headers=()):
        if self.tls:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.send("GET", path, headers=headers)

    def post(self, path, **parameters):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.secret:
            login = ":".join(urllib.parse.quote_plus(text) for text in (self.id, self.secret))
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        else:
            parameters["client_id"] = self.id
        return self.send("POST", path, urllib.parse.urlencode(parameters), headers)

    def authorize(self, user="ann", redirect_uri=RETURN, **more):
        """What the user's browser is answered; the verifier is kept."""
        self.verifier = secrets.token_urlsafe(32)
        parameters = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": redirect_uri,
            "state": "s t",
            "code_challenge": encoded(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            **more,
        }
        headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:x".encode()).decode()} if user else {}
        return self.get("/oauth2/authorize?" + urllib.parse.urlencode(parameters), **headers)

    def exchange(self, code, redirect_uri=RETURN):
        return self.post(
            "/oauth2/token",
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=self.verifier,
        )

    def login(self, redirect_uri=RETURN):
        """The tokens of a user."""
        answer = self.exchange(self.authorize(redirect_uri=redirect_uri).returned()["code"], redirect_uri)
        assert answer.status == 200, answer.body
        return answer.json()

    def refresh(self, token, **more):
        return self.post("/oauth2/token", grant_type="refresh_token", refresh_token=token, **more)

    def own(self, **more):
        return self.post("/oauth2/token", grant_type="client_credentials", **more)

    def keys(self):
        return jwk.JWKSet.from_json(self.get("/oauth2/jwks").body.decode())


class OAuth2ServerTest(SluiceTestCase):
    def setUp(self):
        super().setUp()
        self.store = self.scratch.join("oauth2.store")

    def serve(self, clients=CLIENTS, listeners=(), wait=True, **fields):
        users = "\n".join(f"{name}:{{SHA}}{base64.b64encode(hashlib.sha1(b'x').digest()).decode()}" for name in ("ann", "bob"))
        self.filters = [
            httpFilter(
                BASIC_AUTH,
                "envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
                users={"inline_string": users},
                allow_missing=True,
            ),
            httpFilter(
                "oauth2_server",
                "sluice.extensions.filters.http.oauth2_server.v1.OAuth2Server",
                issuer=ISSUER,
                store={"path": self.store, **fields.pop("store", {})},
                clients=clients,
                **fields,
            ),
        ]
        config = bootstrap([self.listener("http"), *[self.listener(name, socket) for name, socket in listeners]], [])
        self.sluice = self.start(Sluice(self.scratch, config, concurrency=2, wait=wait))
        if wait:
            self.port = self.sluice.port("http")
            self.app = Client(self.port)
        return self.sluice

    def listener(self, name, socket=None):
        routes = [directResponse(404, prefix="/oauth2/authorize"), {**directResponse(200, "other\n"), **PER_ROUTE}]
        out = httpListener(name, routes, filters=self.filters)
        if socket:
            out["filter_chains"][0]["transport_socket"] = socket
        return out

    def claims(self, token):
        """Of a token that the published keys have signed."""
        checked = jwt.JWT(jwt=token, key=self.app.keys())
        self.assertEqual(json.loads(checked.header)["typ"], "at+jwt")
        return json.loads(checked.claims)

    def introspect(self, token):
        return Client(self.port, "api").post("/oauth2/introspect", token=token).json()

    def test_a_users_login_becomes_tokens_that_anybody_can_check(self):
        self.serve()
        back = self.app.authorize(scope="read")
        self.assertEqual((back.status, back.headers["cache-control"]), (303, "no-store"))
        self.assertTrue(back.headers["location"].startswith(RETURN + "?code="))
        self.assertEqual((back.returned()["state"], back.returned()["iss"]), ("s t", ISSUER))

        answer = self.app.exchange(back.returned()["code"])

        tokens = answer.json()
        self.assertEqual((answer.status, answer.headers["cache-control"]), (200, "no-store"))
        self.assertEqual((tokens["token_type"], tokens["expires_in"], tokens["scope"]), ("Bearer", 300, "read"))
        claims = self.claims(tokens["access_token"])
        expected = {"iss": ISSUER, "sub": "ann", "aud": API, "client_id": "app", "scope": "read"}
        self.assertEqual({name: claims[name] for name in expected}, expected)
        self.assertEqual(claims["exp"] - claims["iat"], 300)
        self.assertEqual(self.app.get("/other").body, b"other\n")

        told = self.app.get("/.well-known/oauth-authorization-server").json()
        self.assertEqual((told["issuer"], told["token_endpoint"]), (ISSUER, ISSUER + "/oauth2/token"))
        said = str(self.sluice.admin("/config_dump").body) + self.sluice.log()
        with open(self.store, "rb") as file:
            kept = file.read()
        for secret in (tokens["refresh_token"], back.returned()["code"]):
            self.assertNotIn(secret, said)
            self.assertNotIn(secret.encode(), kept)
        self.assertEqual(os.stat(self.store).st_mode & 0o777, 0o600)

    def test_refresh_tokens_rotate_and_a_second_use_ends_the_login(self):
        self.serve()
        first, other = self.app.login(), self.app.login()
        second = self.app.refresh(first["refresh_token"]).json()
        self.assertTrue(self.introspect(second["access_token"])["active"])

        again = self.app.refresh(first["refresh_token"])

        self.assertEqual((again.status, again.json()["error"]), (400, "invalid_grant"))
        self.assertEqual(self.app.refresh(second["refresh_token"]).status, 400)
        self.assertEqual(self.introspect(second["access_token"]), {"active": False})
        self.assertTrue(self.introspect(other["access_token"])["active"])
        self.assertEqual(self.sluice.stat("http.http.oauth2_server.reused"), 1)

    def test_of_many_who_use_a_code_at_once_one_gets_tokens(self):
        self.serve()
        code = self.app.authorize().returned()["code"]
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.app.exchange(code).status)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200] + [400] * 15)

    def test_a_native_app_listens_where_it_likes_and_shows_no_secret(self):
        self.serve()
        native = Client(self.port, "native", None)
        tokens = native.login("http://127.0.0.1:54321/cb")
        self.assertEqual(self.claims(tokens["access_token"])["client_id"], "native")
        self.assertEqual(native.refresh(tokens["refresh_token"]).status, 200)
        self.assertEqual(native.own().json()["error"], "unauthorized_client")
        self.assertEqual(native.post("/oauth2/introspect", token=tokens["access_token"]).status, 401)

    def test_errors_go_back_to_the_client_only_where_it_is_known(self):
        self.serve()
        for answer in (
            self.app.authorize(redirect_uri="https://evil.example/"),
            self.app.authorize(redirect_uri=RETURN + "/.."),
            Client(self.port, "nobody").authorize(),
        ):
            self.assertEqual((answer.status, answer.headers["location"]), (400, None))
        back = self.app.authorize(code_challenge_method="plain")
        self.assertTrue(back.headers["location"].startswith(RETURN + "?"))
        self.assertEqual((back.returned()["error"], back.returned()["iss"]), ("invalid_request", ISSUER))
        self.assertEqual(self.app.authorize(user=None).status, 401)
        self.assertEqual(self.app.authorize(user=None, prompt="none").returned()["error"], "login_required")
        wrong = Client(self.port, "app", "open").own()
        self.assertEqual((wrong.status, wrong.json()["error"]), (401, "invalid_client"))
        self.assertIn("Basic", wrong.headers["www-authenticate"])

    def test_what_is_revoked_is_inactive_for_who_asks(self):
        self.serve()
        tokens = self.app.login()
        told = self.introspect(tokens["access_token"])
        self.assertEqual((told["active"], told["sub"], told["client_id"]), (True, "ann", "app"))
        own = self.app.own().json()["access_token"]
        for token in (tokens["access_token"], own):
            self.assertEqual(self.app.post("/oauth2/revoke", token=token).status, 200)
            self.assertEqual(self.introspect(token), {"active": False})
        self.assertTrue(self.app.post("/oauth2/introspect", token=tokens["refresh_token"]).json()["active"])
        self.assertEqual(self.app.post("/oauth2/revoke", token=tokens["refresh_token"]).status, 200)
        self.assertEqual(self.app.refresh(tokens["refresh_token"]).status, 400)
        self.assertEqual(self.app.post("/oauth2/revoke", token="unknown").status, 200)

    def test_a_certificate_is_a_client_and_its_tokens_are_bound_to_it(self):
        ca = Authority(self.scratch.join("pki"))
        common = {"tls_certificates": [ca.issue("server", "IP:127.0.0.1")]}
        common["validation_context"] = {"trusted_ca": {"filename": ca.cert("ca")}}
        kind = TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        self.serve(listeners=[("tls", {"name": "tls", "typed_config": {"@type": kind, "common_tls_context": common}})])

        def client(name, san):
            ca.issue(name, "DNS:" + san)
            context = ssl.create_default_context(cafile=ca.cert("ca"))
            context.load_cert_chain(ca.cert(name), ca.key(name))
            return Client(self.sluice.port("tls"), "robot", None, context)

        tokens = client("robot", "robot.example").own().json()

        der = ssl.PEM_cert_to_DER_cert(open(ca.cert("robot")).read())
        claims = self.claims(tokens["access_token"])
        self.assertEqual(claims["cnf"], {"x5t#S256": encoded(hashlib.sha256(der).digest())})
        self.assertEqual(claims["sub"], "robot")
        # Both listeners have the store.
        self.assertTrue(self.introspect(tokens["access_token"])["active"])
        self.assertEqual(client("other", "other.example").own().status, 401)
        self.assertEqual(Client(self.port, "robot", None).own().status, 401)

    def test_keys_rotate_and_tokens_of_the_old_ones_stay_good(self):
        clients = [{**CLIENTS[0], "access_token_lifetime": "60s"}]
        self.serve(clients=clients, keys={"rotation_period": "2s"})
        old = self.app.own().json()["access_token"]

        def changed():
            new = self.app.own().json()["access_token"]
            return new if new.split(".")[0] != old.split(".")[0] else None

        new = waitFor(changed, "a token by another key")
        self.assertEqual(self.claims(old)["iss"], ISSUER)
        self.assertEqual(self.claims(new)["iss"], ISSUER)

    def test_rsa_keys_in_a_sealed_store(self):
        key_file = self.scratch.write("key", secrets.token_hex(32) + "\n")
        self.serve(keys={"algorithm": "RS256"}, store={"key_file": key_file})
        token = self.app.own().json()["access_token"]
        self.claims(token)
        self.sluice.kill()
        self.scratch.write("key", secrets.token_hex(32))
        failed = self.serve(keys={"algorithm": "RS256"}, store={"key_file": key_file}, wait=False)
        failed.waitForExit()
        self.assertIn("sealed by another key", failed.log())

    def test_nothing_that_was_acknowledged_is_lost_in_a_crash(self):
        self.serve()
        ended = threading.Event()
        refreshed, revoked, codes = [[] for _ in range(6)], [], []

        def refresh(tokens, most):
            client = Client(self.port)
            token = client.login()["refresh_token"]
            tokens.append(token)
            while not ended.is_set() and len(tokens) < most:
                try:
                    token = client.refresh(token).json()["refresh_token"]
                except (OSError, http.client.HTTPException, ValueError):
                    return
                tokens.append(token)

        def others():
            client = Client(self.port)
            while not ended.is_set():
                try:
                    token = client.own().json()["access_token"]
                    if client.post("/oauth2/revoke", token=token).status == 200:
                        revoked.append(token)
                    codes.append((client.authorize().returned()["code"], client.verifier))
                except (OSError, http.client.HTTPException, ValueError):
                    return

        # Half of them have no request under way when the process dies.
        threads = [threading.Thread(target=refresh, args=(tokens, 20)) for tokens in refreshed[:3]]
        threads += [threading.Thread(target=refresh, args=(tokens, 1 << 20)) for tokens in refreshed[3:]]
        threads.append(threading.Thread(target=others))
        for thread in threads:
            thread.start()
        waitFor(lambda: min(map(len, [*refreshed, revoked, codes])) >= 20, "some work", 30)
        self.sluice.kill()
        ended.set()
        for thread in threads:
            thread.join()

        # The middle of an append, as a crash of the machine may leave it.
        with open(self.store, "ab") as file:
            file.write(b"\xf0o2\n\x00\x10\x00\x00torn")
        self.serve()
        self.assertIn("they were cut", self.sluice.log())
        for token in revoked:
            self.assertEqual(self.introspect(token), {"active": False})
        for code, verifier in codes[-5:]:
            self.app.verifier = verifier
            self.assertEqual(self.app.exchange(code).status, 200)
        for tokens in refreshed[:3]:
            self.assertEqual(self.app.refresh(tokens[-1]).status, 200)
        for tokens in refreshed:
            self.assertEqual(self.app.refresh(tokens[-2]).status, 400)

    def test_a_store_that_is_damaged_or_in_use_is_refused(self):
        first = self.serve()
        for _ in range(3):
            self.app.login()
        second = self.serve(wait=False)
        second.waitForExit()
        self.assertIn("another process has it", second.log())
        first.kill()
        with open(self.store, "r+b") as file:
            file.seek(100)
            file.write(b"XXXX")
        before = open(self.store, "rb").read()

        failed = self.serve(wait=False)
        failed.waitForExit()

        self.assertIn("store.path", failed.log())
        self.assertIn("is damaged, and what follows is not", failed.log())
        self.assertEqual(open(self.store, "rb").read(), before)

    def test_clients_are_read_again_when_their_file_changes_and_wrong_ones_change_nothing(self):
        def write(clients):
            return self.scratch.write("clients/clients.json", json.dumps({"clients": clients}))

        path = write(CLIENTS)
        source = {"filename": path, "watched_directory": {"path": os.path.dirname(path)}}
        self.serve(clients=[], client_file=source, keys={"rotation_period": "60s"})
        tokens = self.app.login()

        write([{**CLIENTS[0], "scopes": ["read"]}])
        waitFor(lambda: self.app.own().json().get("scope") == "read", "the new clients")
        self.assertEqual(self.app.refresh(tokens["refresh_token"]).json()["scope"], "read")
        write([{**CLIENTS[0], "secrets": [{"sha256": "in the clear"}]}])
        waitFor(lambda: "the clients that were read before hold" in self.sluice.log(), "the refusal in the log")
        self.assertNotIn("in the clear", self.sluice.log())
        self.assertEqual(self.app.own().status, 200)
        write([{**CLIENTS[0], "access_token_lifetime": "86400s"}])
        waitFor(lambda: "rotation_period: is too short for tokens of 86400 s" in self.sluice.log(), "the refusal in the log")
        self.assertEqual(self.app.own().json()["expires_in"], 300)

    def test_what_is_full_says_when_to_come_again(self):
        self.serve(limits={"codes": 1, "logins": 1}, code_lifetime="600s")
        code = self.app.authorize().returned()["code"]
        verifier = self.app.verifier
        self.assertEqual(self.app.authorize().returned()["error"], "temporarily_unavailable")
        self.app.verifier = verifier
        self.assertEqual(self.app.exchange(code).status, 200)
        self.assertEqual(self.app.own().status, 200)


if __name__ == "__main__":
    unittest.main()
