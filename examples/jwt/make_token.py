#!/usr/bin/python3
"""Makes tokens as an identity provider would, with a key that everybody knows: for trying things out, and for nothing else.

    make_token.py ann clerks          a token of ann, in the group clerks, for an hour
    make_token.py --minutes -5 ann    one that has ended
    make_token.py --keys              the key set that verifies them: jwks.json
"""
import argparse
import base64
import hashlib
import json
import subprocess
import tempfile
import time

# The private key (Ed25519) is the hash of a text that stands here.
SEED = hashlib.sha256(b"the example key of examples/jwt, which everybody knows").digest()
PRIVATE = bytes.fromhex("302e020100300506032b657004220420") + SEED  # RFC 8410
KID = "example"


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def openssl(*command, content=b""):
    """What openssl makes; KEY and CONTENT in the command are files."""
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as file:
        key.write(PRIVATE)
        file.write(content)
        key.flush()
        file.flush()
        names = {"KEY": key.name, "CONTENT": file.name}
        return subprocess.run(["openssl", *(names.get(part, part) for part in command)], check=True, stdout=subprocess.PIPE).stdout


def keySet():
    public = openssl("pkey", "-inform", "DER", "-in", "KEY", "-pubout", "-outform", "DER")
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": encode(public[-32:]), "kid": KID, "alg": "EdDSA", "use": "sig"}]}


def makeToken(subject, groups=(), minutes=60, **claims):
    now = int(time.time())
    all_claims = {
        "iss": "https://idp.example",
        "aud": "https://api.example",
        "sub": subject,
        "groups": list(groups),
        "iat": now,
        "exp": now + minutes * 60,
        **claims,
    }
    parts = ({"alg": "EdDSA", "typ": "JWT", "kid": KID}, all_claims)
    text = ".".join(encode(json.dumps(part).encode()) for part in parts)
    signature = openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", "KEY", "-in", "CONTENT", content=text.encode())
    return f"{text}.{encode(signature)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("subject", nargs="?")
    parser.add_argument("groups", nargs="*")
    options = parser.parse_args()
    if options.keys:
        print(json.dumps(keySet()))
    elif options.subject:
        print(makeToken(options.subject, options.groups, options.minutes))
    else:
        parser.error("whose token? name a subject, or --keys")


if __name__ == "__main__":
    main()
