#!/usr/bin/python3
"""Logs a user in as the client `cli` does (an authorization code with PKCE) and prints the tokens.

    examples/token_server/login.py ann ex_ann_password
"""
import argparse
import base64
import hashlib
import http.client
import json
import secrets
import urllib.parse

RETURN = "http://127.0.0.1:7777/callback"  # any port: it is a loopback address


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def post(port, path, **parameters):
    """The status and the JSON of the answer to a form."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer, text = ask(port, "POST", path, urllib.parse.urlencode(parameters), **form)
    return answer.status, json.loads(text) if text else {}


def login(user, password, port=10000):
    """The tokens."""
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    query = urllib.parse.urlencode(
        {
            "response_type": "code",
            "client_id": "cli",
            "redirect_uri": RETURN,
            "state": state,
            "code_challenge": encoded(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
    )
    # What a browser does, once the user has told it the password.
    basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    answer, text = ask(port, "GET", "/oauth2/authorize?" + query, Authorization=basic)
    if answer.status != 303:
        raise SystemExit(f"{answer.status}: {text}")
    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.getheader("location")).query))
    if back.get("state") != state or "code" not in back:
        raise SystemExit(f"refused: {back}")
    status, tokens = post(
        port,
        "/oauth2/token",
        grant_type="authorization_code",
        client_id="cli",
        code=back["code"],
        redirect_uri=RETURN,
        code_verifier=verifier,
    )
    if status != 200:
        raise SystemExit(f"{status}: {tokens}")
    return tokens


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("user")
    parser.add_argument("password")
    print(json.dumps(login(*vars(parser.parse_args()).values()), indent=1))
