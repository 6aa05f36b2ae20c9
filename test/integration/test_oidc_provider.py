"""The HTTP filter oauth2 in a running proxy: logins at the provider "oidc-provider" of npm, and sessions as browsers keep them."""
import base64
import concurrent.futures
import html
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness import config, node  # noqa: E402
from harness.upstream import freePort  # noqa: E402

SECRET = "of the shop: + and %"
PAGE = {"accept": "text/html"}


class Browser:
    """Python's HTTP client with cookies by host, as browsers keep them: whatever the port."""

    def __init__(self):
        self.cookies = {}

    def ask(self, url, body=None, headers=PAGE):
        """(status, headers, body) of one answer; no redirect is followed."""
        parts = urllib.parse.urlsplit(url)
        jar = self.cookies.setdefault(parts.hostname, {})
        headers = dict(headers)
        if jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET" if body is None else "POST", target, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for field in answer.headers.get_all("set-cookie") or []:
            self.keep(jar, field)
        return answer.status, answer.headers, text

    @staticmethod
    def keep(jar, field):
        pair, _, attributes = field.partition(";")
        name, _, value = pair.partition("=")
        assert len(pair) <= 4096, f"no browser keeps {name} of {len(pair)} bytes"
        if re.search(r"max-age=0|expires=thu, 01 jan 1970", attributes, re.IGNORECASE):
            jar.pop(name, None)
        else:
            jar[name] = value

    def walk(self, url, login="ann", until=None):
        """Follows redirects, and sends forms with this name, up to a page without one: (url, status, headers, body)."""
        body = None
        for _ in range(20):
            status, headers, text = self.ask(url, body)
            body = None
            if until and status in (302, 303) and until in headers["location"]:
                return headers["location"], status, headers, text
            if status in (302, 303):
                url = urllib.parse.urljoin(url, headers["location"])
            elif status == 200 and "<form" in text:
                fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', text))
                action = re.search(r'action="([^"]+)"', text)
                url = urllib.parse.urljoin(url, html.unescape(action.group(1))) if action else url
                body = urllib.parse.urlencode({**fields, **({"login": login} if "login" in fields else {})})
            else:
                return url, status, headers, text
        raise AssertionError("redirects without end, at last to " + url)


class LoginCase(SluiceTestCase):
    def serve(self, provider_port, client="shop", secret=SECRET, **fields):
        """A shop behind a login, at 127.0.0.1; the provider is at localhost."""
        self.upstream = self.start(HttpUpstream(lambda request: Reply(200, b"the shop", [("content-type", "text/html")])))
        self.log_path = self.scratch.join("access.log")
        provider = f"http://localhost:{provider_port}"
        filter_config = {
            "token_endpoint": {"uri": provider + "/token", "cluster": "idp", "timeout": "5s"},
            "authorization_endpoint": provider + "/auth",
            "end_session_endpoint": provider + "/session/end",
            "redirect_uri": "http://%REQ(:authority)%/callback",
            "redirect_path_matcher": {"path": {"exact": "/callback"}},
            "signout_path": {"path": {"exact": "/signout"}},
            "credentials": {"client_id": client, "token_secret": {"name": "token"}, "hmac_secret": {"name": "hmac"}},
            "auth_scopes": ["openid", "offline_access"],
            "forward_bearer_token": True,
            **fields,
        }
        entry = httpFilter("envoy.filters.http.oauth2", "envoy.extensions.filters.http.oauth2.v3.OAuth2", config=filter_config)
        line = "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(sluice.identity:subject)% %DYNAMIC_METADATA(sluice.identity:groups)%\n"
        listener = httpListener(
            "shop", [route("up")], filters=[entry], address=config.socketAddress(self.port), access_log=[fileLog(self.log_path, line)]
        )
        secrets = [
            {"name": name, "generic_secret": {"secret": {"inline_string": text}}}
            for name, text in (("token", secret), ("hmac", "a secret of this site only"))
        ]
        settings = bootstrap([listener], [cluster("up", self.upstream.port), cluster("idp", provider_port)])
        settings["static_resources"]["secrets"] = secrets
        self.sluice = self.start(Sluice(self.scratch, settings))

    def setUp(self):
        super().setUp()
        self.port = freePort()
        self.site = f"http://127.0.0.1:{self.port}"
        self.browser = Browser()

    def counted(self, name):
        return self.sluice.stat("http.shop.oauth_" + name)

    def logged(self, text):
        def found():
            with open(self.log_path) as file:
                return text in file.read()

        waitFor(found, f"{text!r} in the access log")


class ProviderTest(LoginCase):
    """A provider that nobody here wrote."""

    @classmethod
    def setUpClass(cls):
        node.packages()

    def provider(self, lifetime=60, port=None, **client):
        self.provider_port = port or freePort()
        self.client = {
            "client_id": "shop",
            "client_secret": SECRET,
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [self.site + "/callback"],
            "post_logout_redirect_uris": [self.site + "/"],
            "token_endpoint_auth_method": "client_secret_post",
            **client,
        }
        settings = {"port": self.provider_port, "lifetime": lifetime, "clients": [self.client]}
        return self.start(node.NodeServer(self.scratch, "oidc_provider.js", json.dumps(settings)))

    def logIn(self, path="/page?a=1"):
        url, status, _, body = self.browser.walk(self.site + path)
        self.assertEqual((url, status, body), (self.site + path, 200, "the shop"))
        return self.upstream.next()

    def test_a_user_logs_in_and_is_known_to_the_shop(self):
        provider = self.provider()
        self.serve(self.provider_port)

        request = self.logIn()

        self.assertRegex(request.header("authorization"), "^Bearer [^ ]{20,}$")
        self.assertIsNone(request.header("cookie"))
        self.logged("200 via_upstream ann")
        self.logged("night shift")
        self.assertIn("token authorization_code 200", provider.log())
        self.assertEqual((self.counted("success"), self.counted("failure"), self.counted("unauthorized_rq")), (2, 0, 1))
        kept = self.browser.cookies["127.0.0.1"]
        self.assertEqual(set(kept), {"BearerToken", "OauthHMAC", "OauthExpires", "IdToken", "RefreshToken"})
        self.assertNotIn(request.header("authorization").split()[1], str(kept))
        # Another browser with the same address has to log in itself.
        self.assertEqual(Browser().ask(self.site + "/")[0], 302)
        self.assertEqual(Browser().ask(self.site + "/", headers={"accept": "application/json"})[0], 401)

    def test_who_is_refused_reads_so(self):
        self.provider()
        self.serve(self.provider_port)

        url, status, headers, body = self.browser.walk(self.site + "/page", login="nobody")

        self.assertEqual(status, 401)
        self.assertIn("access_denied: &lt;b&gt;nobody&lt;/b&gt; may come in", body)
        self.assertIn("text/html", headers["content-type"])
        self.logged("401 oauth_provider_error")

    def test_the_proxy_is_known_by_http_basic(self):
        self.provider(token_endpoint_auth_method="client_secret_basic")
        self.serve(self.provider_port, auth_type="BASIC_AUTH")
        self.logIn()

    def logInByAssertion(self, algorithm, **key):
        try:
            from jwcrypto import jwk
        except ImportError as error:
            raise unittest.SkipTest(f"{error}: run tools/setup test") from None
        pair = jwk.JWK.generate(**key)
        self.provider(
            token_endpoint_auth_method="private_key_jwt",
            token_endpoint_auth_signing_alg=algorithm,
            jwks={"keys": [json.loads(pair.export_public())]},
        )
        pem = pair.export_to_pem(private_key=True, password=None).decode()
        signing = {"signing_algorithm": algorithm}
        self.serve(self.provider_port, secret=pem, auth_type="PRIVATE_KEY_JWT", private_key_jwt_config=signing)
        self.logIn()

    def test_the_proxy_is_known_by_an_assertion_signed_on_a_curve(self):
        self.logInByAssertion("ES256", kty="EC", crv="P-256")

    def test_the_proxy_is_known_by_an_assertion_signed_with_rsa(self):
        self.logInByAssertion("RS256", kty="RSA", size=2048)

    def test_signing_out_ends_both_sessions(self):
        self.provider()
        self.serve(self.provider_port)
        self.logIn()

        back, status, headers, _ = self.browser.walk(self.site + "/signout", until=self.site)

        self.assertEqual((back, status), (self.site + "/", 303))
        self.assertEqual(self.browser.cookies["127.0.0.1"], {})
        status, headers, _ = self.browser.ask(self.site + "/")
        self.assertEqual(status, 302)
        # The provider asks again who it is.
        _, status, _, body = self.browser.walk(self.site + "/", login="nobody")
        self.assertEqual(status, 401, body)

    def test_thirty_requests_at_once_renew_a_session_once(self):
        provider = self.provider(lifetime=2)
        self.serve(self.provider_port)
        self.logIn()
        before = dict(self.browser.cookies["127.0.0.1"])
        waitFor(lambda: time.time() > int(before["OauthExpires"]), "the access token to end")
        renewed = provider.log().count("token refresh_token")

        def ask(_):
            browser = Browser()
            browser.cookies["127.0.0.1"] = dict(before)
            return browser.ask(self.site + "/")[0], browser.cookies["127.0.0.1"]

        with concurrent.futures.ThreadPoolExecutor(30) as threads:
            answers = list(threads.map(ask, range(30)))

        self.assertEqual([status for status, _ in answers], [200] * 30)
        self.assertTrue(all(cookies["RefreshToken"] != before["RefreshToken"] for _, cookies in answers))
        self.assertEqual(provider.log().count("token refresh_token"), renewed + 1)
        self.assertEqual((self.counted("refreshtoken_success"), self.counted("refreshtoken_failure")), (renewed + 1, 0))
        # What each of them got is good for the next renewal.
        waitFor(lambda: time.time() > int(answers[7][1]["OauthExpires"]), "the next one to end")
        self.browser.cookies["127.0.0.1"] = answers[7][1]
        self.assertEqual(self.browser.ask(self.site + "/")[0], 200)
        self.assertEqual(provider.log().count("token refresh_token 200"), renewed + 2)

    def test_a_provider_that_is_away_is_waited_for_by_nobody(self):
        port = freePort()
        self.serve(port)
        status, headers, _ = self.browser.ask(self.site + "/page")
        self.assertEqual(status, 302)
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["location"]).query)["state"][0]

        status, _, body = self.browser.ask(f"{self.site}/callback?code=c&state={urllib.parse.quote(state)}")

        self.assertEqual(status, 503)
        self.assertIn("does not answer", body)
        provider = self.provider(lifetime=1, port=port)
        self.logIn()
        provider.stop()
        waitFor(lambda: time.time() > int(self.browser.cookies["127.0.0.1"]["OauthExpires"]), "the access token to end")
        status, headers, _ = self.browser.ask(self.site + "/page")
        self.assertEqual(status, 302)
        self.assertEqual(self.browser.ask(self.site + "/api", headers={"x-requested-with": "x"})[0], 401)
        self.assertEqual(self.counted("refreshtoken_failure"), 2)

    def test_a_browser_logs_in(self):
        self.assertIsNotNone(shutil.which("chromium"), "chromium is not installed: run tools/setup test")
        self.provider()
        self.serve(self.provider_port)

        seen = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.scratch.join('profile')}"]
            + ["--virtual-time-budget=20000", "--dump-dom", self.site + "/page?a=1"],
            capture_output=True,
            text=True,
            timeout=60,
        )

        self.assertIn("the shop", seen.stdout, seen.stderr[-2000:])
        request = self.upstream.next()
        self.assertEqual(request.path, "/page?a=1")
        self.assertIsNone(request.header("cookie"))
        self.logged("200 via_upstream ann")


class TokenServerTest(LoginCase):
    """A token endpoint that says what the test wants."""

    def setUp(self):
        super().setUp()
        self.tokens = {}
        self.endpoint = self.start(HttpUpstream(lambda request: Reply(200, json.dumps(self.tokens).encode())))
        self.serve(self.endpoint.port)

    def logIn(self, **claims):
        _, headers, _ = self.browser.ask(self.site + "/page")
        query = {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(headers["location"]).query).items()}
        body = {"iss": "i", "sub": "ann", "aud": "shop", "exp": int(time.time()) + 60, "nonce": query["nonce"], **claims}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "RS256"}, body)]
        self.tokens.update({"id_token": ".".join([*parts, "AAAA"]), "token_type": "Bearer"})
        return self.browser.ask(f"{self.site}/callback?code=c&state={urllib.parse.quote(query['state'])}")

    def test_tokens_of_16_KiB_come_through(self):
        large = base64.b64encode(os.urandom(12 * 1024)).decode()
        self.tokens = {"access_token": large, "expires_in": 60}

        status, headers, _ = self.logIn(groups=["g" * 100] * 100)

        self.assertEqual((status, headers["location"]), (302, self.site + "/page"))
        self.assertEqual(self.browser.ask(self.site + "/page")[0], 200)
        request = self.upstream.next()
        self.assertEqual(request.header("authorization"), "Bearer " + large)
        self.assertIsNone(request.header("cookie"))

    def test_cookies_of_half_a_session_are_none(self):
        self.tokens = {"access_token": "x" * 9000, "expires_in": 60}
        self.logIn()
        whole = dict(self.browser.cookies["127.0.0.1"])
        self.assertIn("BearerToken.2", whole)
        for name in whole:
            with self.subTest(name=name):
                self.browser.cookies["127.0.0.1"] = {key: value for key, value in whole.items() if key != name}
                status = self.browser.ask(self.site + "/", headers={"x-requested-with": "x"})[0]
                self.assertEqual(status, 200 if name == "OauthNonce.row" else 401)

    def test_a_token_ends_when_it_says(self):
        self.tokens = {"access_token": "a", "expires_in": 1}
        self.logIn()
        ends = int(self.browser.cookies["127.0.0.1"]["OauthExpires"])
        waitFor(lambda: time.time() > ends, "the token to end")
        self.assertEqual(self.browser.ask(self.site + "/")[0], 302)

    def test_an_answer_without_end_is_no_answer(self):
        self.tokens = {"access_token": "a", "x": "y" * (2 << 20)}
        status, _, body = self.logIn()
        self.assertEqual(status, 503, body)
        self.logged("503 oauth_token_endpoint_unreachable")

    def test_no_secret_is_told(self):
        self.tokens = {"access_token": "a-token-of-ann", "expires_in": 60}
        self.logIn()
        told = "".join(self.sluice.admin(page).body.decode() for page in ("/config_dump", "/stats", "/clusters")) + self.sluice.log()
        for secret in (SECRET, "a secret of this site only", "a-token-of-ann"):
            self.assertNotIn(secret, told)


if __name__ == "__main__":
    unittest.main()
