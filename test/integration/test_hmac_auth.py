"""The filter hmac_auth in a running proxy, and a signer in Python: both forms, digests of bodies, keys that change."""
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import unittest
from email.utils import formatdate

from jwcrypto import jwk

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness import *  # noqa: E402,F403
from harness.config import TYPE  # noqa: E402
from test_key_auth import VERSIONS, AuthCase  # noqa: E402

SECRET = "Zoh5ooxahng2eesohd8Ahvae"
OTHER = "aiJ7ooQu8rahtheeG1oogh0o"
BODY = '{"hello": "world"}'


def mac(secret, text, algorithm="sha256"):
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), algorithm).digest()).decode()


def digest(body, algorithm="sha256"):
    return base64.b64encode(hashlib.new(algorithm, body.encode()).digest()).decode()


def headers(fields):
    return [argument for name, value in fields.items() for argument in ("-H", f"{name}: {value}")]


class HmacAuthTest(AuthCase):
    NAME = "sluice.filters.http.hmac_auth"
    PACKAGE = "sluice.extensions.filters.http.hmac_auth.v1."

    def write(self, *consumers):
        return self.scratch.write("consumers/consumers.json", json.dumps({"consumers": consumers}))

    def serveConsumers(self, *consumers, routes=None, **fields):
        path = self.write(*consumers)
        source = {"filename": path, "watched_directory": {"path": os.path.dirname(path)}}
        self.serve(httpFilter(self.NAME, self.PACKAGE + "HmacAuth", consumers=source, **fields), routes)

    def consumer(self, name, secret=SECRET, key="k1", **more):
        return {"name": name, "hmac_keys": [{"id": key, "secret": {"inline_string": secret}}], **more}

    def message(self, method="GET", path="/", body=None, secret=SECRET, key="k1", created=None, leave=(), sign=None):
        """The fields of a signature by RFC 9421."""
        target, _, query = path.partition("?")
        values = {
            "@method": method,
            "@authority": f"127.0.0.1:{self.port}",
            "@path": target,
            "@query": "?" + query,
        }
        fields = {}
        if body is not None:
            fields["content-digest"] = values["content-digest"] = f"sha-256=:{digest(body)}:"
        values = {name: value for name, value in values.items() if name not in leave}
        names = " ".join(f'"{name}"' for name in values)
        parameters = f'({names});created={int(time.time()) if created is None else created};keyid="{key}"'
        text = "".join(f'"{name}": {value}\n' for name, value in values.items()) + f'"@signature-params": {parameters}'
        return {**fields, "Signature-Input": f"sig={parameters}", "Signature": f"sig=:{sign(text) if sign else mac(secret, text)}:"}

    def authorization(self, line, body=None, secret=SECRET, algorithm="sha256", when=None, scheme="hmac"):
        """The fields of a signature as Kong's clients make it. `line`: of the request."""
        date = formatdate(when, usegmt=True)
        fields, lines = {"Date": date}, [f"date: {date}", line]
        names = "date request-line"
        if body is not None:
            fields["Digest"] = "SHA-256=" + digest(body)
            lines.append("digest: " + fields["Digest"])
            names += " digest"
        signature = mac(secret, "\n".join(lines), algorithm)
        value = f'{scheme} username="k1", algorithm="hmac-{algorithm}", headers="{names}", signature="{signature}"'
        return {**fields, "Authorization": value}

    def test_messages_are_signed(self):
        self.serveConsumers(self.consumer("ali"), message_signatures={})
        good = self.message(path="/p?q=%20a")

        self.check((200, "ali"), *headers(good), path="/p?q=%20a")
        self.check((401, None), *headers(good), path="/p?q=%20b")
        self.check((401, None), *headers(good), path="/p")
        self.check((401, None), *headers(good), "-X", "DELETE", path="/p?q=%20a")
        self.check((401, None), *headers(good), "-H", "Host: other", path="/p?q=%20a")
        self.check((401, None), *headers(self.message(secret=OTHER)))
        self.check((401, None), *headers(self.message(key="k2")))
        self.check((401, None), *headers(self.message(created=int(time.time()) - 400)))
        self.check((401, None), *headers(self.message(created=int(time.time()) + 100)))
        self.check((401, None), *headers(self.message(leave=["@query"])))
        self.check((401, None), *headers(self.authorization("GET / HTTP/1.1")))
        self.check((401, None))
        for _ in VERSIONS:
            self.upstream.next()
        self.assertTrue(self.upstream.requests.empty())

        def details():
            with open(self.access_log) as file:
                return set(line.split()[1] for line in file if line.startswith("401"))

        expected = {"wrong_signature", "unknown_signature_key", "stale_signature", "unsigned_component"}
        waitFor(lambda: details() == {*expected, "missing_signature"}, "the reasons in the log")

    def test_a_private_key_may_sign(self):
        private = jwk.JWK.generate(kty="OKP", crv="Ed25519")
        other = jwk.JWK.generate(kty="OKP", crv="Ed25519")
        key = {"id": "k1", "jwk": {"inline_string": private.export_public()}}
        self.serveConsumers({"name": "ali", "public_keys": [key]}, message_signatures={})

        def sign(by):
            signer = by.get_op_key("sign")
            return lambda text: base64.b64encode(signer.sign(text.encode())).decode()

        self.check((200, "ali"), *headers(self.message(sign=sign(private))))
        self.check((401, None), *headers(self.message(sign=sign(other))))
        self.check((401, None), *headers(self.message(secret=private.export_public())))

    def test_a_body_is_what_was_signed(self):
        self.serveConsumers(self.consumer("ali"), message_signatures={}, authorization={"validate_request_body": True})

        message = headers(self.message("POST", body=BODY))
        self.check((200, "ali"), *message, "--data-binary", BODY)
        self.check((401, None), *message, "--data-binary", BODY + " ")
        self.check((401, None), *headers(self.message("POST")), "--data-binary", BODY)
        for version, number in zip(VERSIONS, ("1.1", "2.0")):
            line = f"POST / HTTP/{number}"
            good = headers(self.authorization(line, BODY))
            self.assertEqual(self.ask(*good, "--data-binary", BODY, version=version), (200, "ali"))
            self.assertEqual(self.ask(*good, "--data-binary", "{}", version=version), (401, None))
            none = headers(self.authorization(line))
            self.assertEqual(self.ask(*none, "--data-binary", BODY, version=version), (401, None))
            self.assertEqual(self.ask(*none, "-X", "POST", version=version), (200, "ali"))
        for body in (BODY, BODY, BODY, "", BODY, ""):
            self.assertEqual(self.upstream.next().body.decode(), body)
        self.assertTrue(self.upstream.requests.empty())

    def test_the_form_of_older_clients(self):
        self.serveConsumers(self.consumer("ali"), authorization={}, forwarding={"hide_credentials": True})
        line = "GET /p?q=1 HTTP/1.1"

        def ask(fields):
            return self.ask(*headers(fields), path="/p?q=1")

        self.assertEqual(ask(self.authorization(line)), (200, "ali"))
        self.assertIsNone(self.upstream.next().header("authorization"))
        self.assertEqual(ask(self.authorization(line, algorithm="sha512", scheme="HMAC")), (200, "ali"))
        self.assertEqual(ask(self.authorization(line, algorithm="sha1")), (401, None))
        self.assertEqual(ask(self.authorization(line, secret=OTHER)), (401, None))
        self.assertEqual(ask(self.authorization(line, when=time.time() - 400)), (401, None))
        self.assertEqual(ask(self.authorization("GET /p HTTP/1.1")), (401, None))

        refused = get(("127.0.0.1", self.port), "/", [("authorization", "hmac username=\"k1\"")])

        self.assertEqual((refused.status, refused.header("www-authenticate")), (401, "hmac"))

    def test_routes_are_for_groups_and_others_are_guests(self):
        staff = {"@type": TYPE + self.PACKAGE + "HmacAuthPerRoute", "allowed_groups": ["staff"]}
        self.serveConsumers(
            self.consumer("ali", groups=["staff"]),
            self.consumer("bob", OTHER, "k2"),
            {"name": "guest"},
            routes=[{**route("up", "/staff"), "typed_per_filter_config": {self.NAME: staff}}, route("up")],
            message_signatures={},
            forwarding={"header": "x-client"},
            anonymous="guest",
        )

        self.check((200, "ali"), *headers(self.message(path="/staff")), path="/staff")
        self.check((403, None), *headers(self.message(path="/staff", secret=OTHER, key="k2")), path="/staff")
        self.check((403, None), path="/staff")
        self.check((200, "bob"), *headers(self.message(secret=OTHER, key="k2")))
        while not self.upstream.requests.empty():
            self.upstream.next()
        self.check((200, "guest"), "-H", "x-client: ali")
        self.assertEqual(self.upstream.next().header("x-client"), "guest")

    def test_keys_change_with_their_file_and_are_never_told(self):
        self.serveConsumers(self.consumer("ali"), message_signatures={})
        self.check((200, "ali"), *headers(self.message()))

        self.write(self.consumer("bob", OTHER))
        waitFor(lambda: self.ask(*headers(self.message(secret=OTHER))) == (200, "bob"), "the new consumers")
        self.check((401, None), *headers(self.message()))
        self.write(self.consumer("ali", "ohng2eesohd"), self.consumer("bob"))
        waitFor(lambda: "the consumers that were read before hold" in self.sluice.log(), "the refusal in the log")

        self.check((200, "bob"), *headers(self.message(secret=OTHER)))
        self.assertIn("consumers[0].hmac_keys[0].secret", self.sluice.log())
        told = str(self.sluice.admin("/config_dump").body) + str(self.sluice.admin("/stats").body) + self.sluice.log()
        for secret in (SECRET, OTHER, "ohng2eesohd"):
            self.assertNotIn(secret, told)


if __name__ == "__main__":
    unittest.main()
