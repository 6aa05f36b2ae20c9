"""A key of RSA, its public half as proxies take it, and a token that it has signed."""
import base64
import json
import subprocess

ISSUER = "https://issuer.bench.test"


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class SigningKey:
    """Of 2048 bits, with RS256."""

    def __init__(self, scratch):
        self.private = scratch.join("token-key.pem")
        self.public = scratch.join("token-key.pub")  # PEM
        openssl("genrsa", "-out", self.private, "2048")
        openssl("rsa", "-in", self.private, "-pubout", "-out", self.public)

    def keySet(self):
        """JSON."""
        modulus = openssl("rsa", "-in", self.private, "-noout", "-modulus").decode().strip().partition("=")[2]
        key = {"kty": "RSA", "alg": "RS256", "kid": "bench", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        return json.dumps({"keys": [key]})

    def token(self):
        header = {"alg": "RS256", "typ": "JWT", "kid": "bench"}
        claims = {
            "iss": ISSUER,
            "sub": "0b3f1e1c-6d7e-4a55-9d3f-0c8d7a1b2c3d",
            "aud": "bench",
            "iat": 1767225600,
            "exp": 4102444800,
            "scope": "orders:read orders:write profile",
            "groups": ["customers", "testers"],
        }
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return signed + "." + base64url(openssl("dgst", "-sha256", "-sign", self.private, text=signed.encode()))


def openssl(*words, text=None):
    return subprocess.run(["openssl", *words], input=text, check=True, capture_output=True).stdout
