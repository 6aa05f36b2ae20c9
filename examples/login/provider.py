#!/usr/bin/python3
"""An OpenID Connect provider that believes everybody, with one client: for trying things out, and for nothing else.

    provider.py --listen 127.0.0.1:8082

It serves /authorize, /token and /logout, forgets all when it ends, and signs nothing: its tokens say who somebody is to who gets
them from here, and to nobody else.
"""
import argparse
import base64
import hashlib
import html
import http.server
import json
import secrets
import threading
import time
import urllib.parse

CLIENT = ("shop", "an example, which everybody knows")
LIFETIME_S = 300
FORM = """<!doctype html><title>Log in</title><h1>Who are you?</h1>
<form method="post"><input name="login" value="ann" autofocus> <button>Log in</button></form>
"""


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Provider:
    """Serves from its making until stop()."""

    def __init__(self, host="127.0.0.1", port=0):
        self.codes = {}  # code: who, and what the request for it said
        self.refresh_tokens = {}
        handler = type("BoundHandler", (Handler,), {"provider": self})
        self.server = http.server.ThreadingHTTPServer((host, port), handler)
        self.port = self.server.server_address[1]
        self.issuer = f"http://{host}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def grant(self, form):
        """(who, nonce) of a code or a refresh token, which is good once; None: it is not."""
        if form.get("grant_type") == "refresh_token":
            return self.refresh_tokens.pop(form.get("refresh_token"), None)
        login, asked = self.codes.pop(form.get("code"), (None, {}))
        challenge = encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if login is None or challenge != asked.get("code_challenge") or form.get("redirect_uri") != asked.get("redirect_uri"):
            return None
        return login, asked.get("nonce")

    def tokens(self, login, nonce):
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": login, "aud": CLIENT[0], "iat": now, "exp": now + LIFETIME_S, "nonce": nonce}
        token = [encode(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims)] + [encode(b"not signed")]
        refresh_token = secrets.token_urlsafe(32)
        self.refresh_tokens[refresh_token] = (login, nonce)
        return {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "refresh_token": refresh_token,
            "id_token": ".".join(token),
        }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body together

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path == "/authorize" and asked.get("client_id") == CLIENT[0]:
            return self.answer(200, FORM)
        if path == "/logout":
            return self.answer(302, location=asked.get("post_logout_redirect_uri", "/"))
        return self.answer(404, f"<p>There is no {html.escape(path)} here.</p>\n")

    def do_POST(self):
        path, _, query = self.path.partition("?")
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers.get("content-length", 0))).decode()))
        if path == "/authorize":
            asked = dict(urllib.parse.parse_qsl(query))
            code = secrets.token_urlsafe(32)
            self.provider.codes[code] = (form.get("login", "nobody"), asked)
            back = urllib.parse.urlencode({"code": code, "state": asked.get("state", ""), "iss": self.provider.issuer})
            return self.answer(302, location=f"{asked.get('redirect_uri', '/')}?{back}")
        if path != "/token":
            return self.answer(404)
        basic = base64.b64encode(":".join(urllib.parse.quote_plus(part) for part in CLIENT).encode()).decode()
        granted = self.provider.grant(form) if self.headers.get("authorization") == "Basic " + basic else None
        if granted is None:
            return self.answer(400, json.dumps({"error": "invalid_grant"}), content_type="application/json")
        return self.answer(200, json.dumps(self.provider.tokens(*granted)), content_type="application/json")

    def answer(self, status, text="", content_type="text/html; charset=utf-8", location=None):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:8082", metavar="HOST:PORT")
    host, _, port = parser.parse_args().listen.rpartition(":")
    Provider(host, int(port)).thread.join()


if __name__ == "__main__":
    main()
