"""The library of signed tokens (source/jwt) against python3-jwcrypto: tokens of all algorithms, and hostile ones.

Each case says what the library has to answer. What it takes jwcrypto has to take, too; what it refuses jwcrypto has to refuse, or the
case says why the library is stricter. Claims and times are not looked at here, except for their types.
"""
import base64
import json
import os
import random
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "../support")))
from harness.process import program  # noqa: E402

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from jwcrypto import jwe, jwk, jws
    from jwcrypto.jwa import JWA
except ImportError as error:
    raise unittest.SkipTest(f"{error}: run tools/setup test")

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"]
CLAIMS = {"iss": "https://issuer.example", "sub": "me", "aud": ["a", "b"], "exp": 2**33, "iat": 1, "jti": "x"}
ONE_MEANING = "what can be read in two meanings is refused"
TYPES = "claims have the types of RFC 7519"
ORDERS = {"P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551}
ED_ORDER = 2**252 + 27742317777372353535851937790883648493


def encode(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).decode().rstrip("=")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def makeKeys():
    """A private key for each family, by the algorithms that it signs."""
    kinds = {
        "RS": jwk.JWK.generate(kty="RSA", size=2048),
        "ES256": jwk.JWK.generate(kty="EC", crv="P-256"),
        "ES384": jwk.JWK.generate(kty="EC", crv="P-384"),
        "ES512": jwk.JWK.generate(kty="EC", crv="P-521"),
        "EdDSA": jwk.JWK.generate(kty="OKP", crv="Ed25519"),
        "HS": jwk.JWK.generate(kty="oct", size=512),
    }
    return {name: kinds.get(name) or kinds.get(name[:2]) or kinds["RS"] for name in ALGORITHMS}


KEYS = makeKeys()


def public(algorithm, **more):
    """The JSON Web Key that verifies it, with other members if wanted; None takes one away."""
    key = KEYS[algorithm]
    members = json.loads(key.export(private_key=key.get("kty") == "oct"))
    members.update(more)
    return {name: value for name, value in members.items() if value is not None}


def allKeys():
    return [public(name) for name in ("RS256", "ES256", "ES384", "ES512", "EdDSA", "HS256")]


def rawSign(algorithm, text, key=None):
    return JWA.signing_alg(algorithm).sign(key or KEYS[algorithm], text.encode())


def token(algorithm, header=None, claims=None, key=None, **more):
    """Header and claims: dicts, or texts (or bytes) as they are."""
    header = {"alg": algorithm, **more} if header is None else header
    claims = CLAIMS if claims is None else claims
    head, body = (part if isinstance(part, (str, bytes)) else compact(part) for part in (header, claims))
    text = f"{encode(head)}.{encode(body)}"
    return f"{text}.{encode(rawSign(algorithm, text, key))}"


def withSignature(good, change):
    """The token with what `change` makes of its signature's bytes."""
    text, _, signature = good.rpartition(".")
    return f"{text}.{encode(change(decode(signature)))}"


class Case:
    def __init__(self, name, keys, token, verdict="jwt_signature", stricter=None):
        self.name, self.token, self.verdict, self.stricter = name, token, verdict, stricter
        self.text = keys if isinstance(keys, str) else compact({"keys": keys})
        assert "\n" not in self.text + token and "\t" not in self.text + token, name


def judgedGood(case):
    """Whether jwcrypto verifies the token by a key of the set that has its `kid`, and its claims are an object."""
    try:
        header = json.loads(decode(case.token.split(".")[0]))
        keys = list(json.loads(case.text)["keys"])
    except Exception:  # whatever it raises, it takes no such token
        return False
    for members in keys:
        try:
            if "kid" in header and members.get("kid", header["kid"]) != header["kid"]:
                continue
            judge = jws.JWS()
            judge.allowed_algs = ALGORITHMS
            judge.deserialize(case.token, jwk.JWK(**members))
            if isinstance(json.loads(judge.payload.decode()), dict):
                return True
        except Exception:  # of many types; the next key may do
            continue
    return False


def goodTokens():
    for name in ALGORITHMS:
        yield Case(f"{name}", [public(name)], token(name), "jwt_ok")
        yield Case(f"{name} among all keys", allKeys(), token(name), "jwt_ok")
        marked = public(name, kid="k", alg=name, use="sig", key_ops=["verify"])
        yield Case(f"{name} with kid, alg, use and key_ops", [marked], token(name, kid="k", typ="JWT"), "jwt_ok")
    for text in ("{}", ' { "a" : [ 1 , { } ] } ', '{"a":"\\u00e4\\ud83d\\ude00"}', '{"a":"ä"}', '{"a":{"a":{"a":1}}}'):
        yield Case(f"claims {text}", [public("ES256")], token("ES256", claims=text), "jwt_ok")
    key = jwk.JWK.generate(kty="RSA", size=2048, public_exponent=3)
    yield Case("RSA with the exponent 3", [json.loads(key.export_public())], token("PS256", key=key), "jwt_ok")
    key = jwk.JWK.generate(kty="RSA", size=3072)
    yield Case("RSA of 3072 bits", [json.loads(key.export_public())], token("RS512", key=key), "jwt_ok")


def confusedAlgorithms():
    """Signed by one algorithm, said to be by another."""
    for real in ALGORITHMS:
        for said in ALGORITHMS:
            if said != real:
                yield Case(f"{real} said to be {said}", allKeys(), token(real, alg=said))
    for name in ALGORITHMS:
        others = [key for key in allKeys() if key.get("x", key.get("n", key.get("k"))) not in public(name).values()]
        yield Case(f"{name} without its key", others, token(name), "jwt_unknown_key")
    for spelling in ("none", "None", "NONE", "nOnE", "NoNe", "", "none ", "null", "hs256", "HS-256", "HS1", "RS256\\u0000", "ES256K"):
        header = f'{{"alg":"{spelling}"}}'
        unsigned = f"{encode(header)}.{encode(compact(CLAIMS))}."
        yield Case(f"alg '{spelling}' without a signature", allKeys(), unsigned, "jwt_algorithm")
        yield Case(f"alg '{spelling}' with a signature", allKeys(), token("HS256", header), "jwt_algorithm")
    for header in ("{}", '{"alg":null}', '{"alg":1}', '{"alg":["HS256"]}', '{"alg":{"HS256":1}}', '{"ALG":"HS256"}', '{"typ":"JWT"}'):
        yield Case(f"header {header}", allKeys(), token("HS256", header), "jwt_malformed")


def publicKeysAsSecrets():
    pem = KEYS["RS256"].export_to_pem()
    loaded = serialization.load_pem_public_key(pem)
    encodings = serialization.Encoding
    der = loaded.public_bytes(encodings.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pkcs1 = loaded.public_bytes(encodings.PEM, serialization.PublicFormat.PKCS1)
    n = public("RS256")["n"]
    secrets = {"PEM": pem, "PEM without its last line's end": pem.rstrip(), "DER": der, "PKCS 1": pkcs1, "n": decode(n)}
    secrets |= {"n as text": n.encode(), "JWK": compact(public("RS256")).encode(), "key set": compact({"keys": allKeys()}).encode()}
    secrets |= {"nothing": b"", "a zero": b"\0"}
    for what, secret in secrets.items():
        for name in ("HS256", "HS384", "HS512"):
            key = jwk.JWK(kty="oct", k=encode(secret))
            forged = token(name, key=key)
            yield Case(f"{what} as the secret of {name}", [public("RS256")], forged, "jwt_unknown_key")
            yield Case(f"{what} as the secret of {name}, among all keys", allKeys(), forged)
    x = public("ES256")["x"]
    yield Case("a point's x as a secret", [public("ES256")], token("HS256", key=jwk.JWK(kty="oct", k=x)), "jwt_unknown_key")


def chosenKeys():
    """`kid`, `alg`, `use` and `key_ops`."""
    alg = "RFC 7517: a key with `alg` is for that algorithm only"
    twin = json.loads(jwk.JWK.generate(kty="EC", crv="P-256", kid="k").export_public())
    mine, rsa = public("ES256", kid="k"), public("RS256", kid="r")
    good = token("ES256", kid="k")
    yield Case("kid of the second key", [rsa, mine], good, "jwt_ok")
    yield Case("two keys of one kid", [twin, mine], good, "jwt_ok")
    yield Case("two keys of one kid, of different types", [public("RS256", kid="k"), mine], good, "jwt_ok")
    yield Case("two keys of one kid, neither of which signed", [twin, twin], good)
    yield Case("a token without kid", [rsa, mine], token("ES256"), "jwt_ok")
    yield Case("a key without kid", [public("ES256")], good, "jwt_ok")
    yield Case("kid of another key of the type", [mine, {**twin, "kid": "t"}], token("ES256", kid="t"))
    yield Case("kid of a key of another type", [mine, rsa], token("ES256", kid="r"), "jwt_unknown_key")
    for kid in ("K", "k ", "../../dev/null", "k' OR '1'='1", "k\0"):
        yield Case(f"kid {kid!r}", [mine], token("ES256", kid=kid), "jwt_unknown_key")
    for kid in (1, None, True, ["k"], {"k": 1}):
        keys = [public("ES256")]
        yield Case(f"kid {kid!r}", keys, token("ES256", kid=kid), "jwt_malformed", "RFC 7515: `kid` is a text")
    for name in ("ES384", "RS256", "HS256", "none", "ECDH-ES", ""):
        yield Case(f"a key of ES256 with alg {name}", [public("ES256", alg=name)], token("ES256"), "jwt_no_keys", alg)
    yield Case("a key for PS256", [public("RS256", alg="PS256")], token("RS256"), "jwt_unknown_key", alg)
    yield Case("a key for RSA-OAEP", [public("RS256", alg="RSA-OAEP")], token("RS256"), "jwt_no_keys", alg)
    yield Case("a key for HS512", [public("HS256", alg="HS512")], token("HS256"), "jwt_unknown_key", alg)
    yield Case("a key for encryption", [public("RS256", use="enc")], token("RS256"), "jwt_no_keys")
    yield Case("a key of unknown use", [public("RS256", use="tls")], token("RS256"), "jwt_no_keys")
    for operations in (["sign"], ["encrypt", "wrapKey"]):
        yield Case(f"key_ops {operations}", [public("RS256", key_ops=operations)], token("RS256"), "jwt_no_keys")
    reason = "RFC 7517: `key_ops` are all that a key is for"
    yield Case("no key_ops", [public("RS256", key_ops=[])], token("RS256"), "jwt_no_keys", reason)
    own = jwk.JWK.generate(kty="EC", crv="P-256")
    header = {"alg": "ES256", "jwk": json.loads(own.export_public()), "jku": "https://evil.example/", "x5u": "https://evil.example/"}
    yield Case("a key that the token brings", [public("ES256")], token("ES256", header, key=own))


def keyMaterial():
    def rsa(**more):
        return [public("RS256", **more)], token("RS256")

    def ec(**more):
        return [public("ES256", **more)], token("ES256")

    small = jwk.JWK.generate(kty="RSA", size=1024)
    keys = [json.loads(small.export_public())]
    yield Case("RSA of 1024 bits", keys, token("RS256", key=small), "jwt_no_keys", "RFC 7518: 2048 bits or more")
    n, x = public("RS256")["n"], public("ES256")["x"]
    for what, e in {"huge": n, "even": "AQAA", "1": "AQ", "0": "AA", "of 33 bits": encode(b"\1\0\0\0\1"), "empty": ""}.items():
        yield Case(f"exponent {what}", *rsa(e=e), "jwt_no_keys")
    yield Case("exponent of another key", *rsa(e="Aw"))
    yield Case("modulus even", *rsa(n=n[:-2] + "AA"), "jwt_no_keys")
    yield Case("modulus empty", *rsa(n=""), "jwt_no_keys")
    yield Case("modulus with padding", *rsa(n=n + "=="), "jwt_no_keys", "RFC 7515: base64url without padding")
    yield Case("no modulus", *rsa(n=None), "jwt_no_keys")
    yield Case("modulus a number", *rsa(n=7), "jwt_no_keys")
    yield Case("a point off the curve", *ec(x=public("ES256")["y"]), "jwt_no_keys")
    yield Case("a point at zero", *ec(x=encode(bytes(32)), y=encode(bytes(32))), "jwt_no_keys")
    yield Case("a coordinate too long", *ec(x=encode(b"\0" + decode(x))), "jwt_no_keys", "RFC 7518: coordinates have the curve's length")
    for curve in ("P-384", "P-521", "secp256k1", "Ed25519", "p-256", ""):
        yield Case(f"crv {curve}", *ec(crv=curve), "jwt_no_keys")
    for kind in ("RSA", "oct", "OKP", "ec", ""):
        yield Case(f"kty {kind}", *ec(kty=kind), "jwt_no_keys")
    for size in (0, 1, 31):
        key = jwk.JWK(kty="oct", k=encode(b"s" * size))
        reason = "RFC 7518: a shared key has the length of the hash" if size else None
        keys = [json.loads(key.export())]
        yield Case(f"a shared key of {size} bytes", keys, token("HS256", key=key), "jwt_no_keys", reason or "an empty secret is none")
    key = jwk.JWK(kty="oct", k=encode(b"s" * 47))
    reason = "RFC 7518: a shared key has the length of the hash"
    yield Case("47 bytes for HS384", [json.loads(key.export())], token("HS384", key=key), "jwt_unknown_key", reason)
    yield Case("47 bytes for HS256", [json.loads(key.export())], token("HS256", key=key), "jwt_ok")
    good = token("ES256")
    for text in ("", "{}", "[]", '{"keys":[]}', '{"keys":{}}', '{"keys":null}', "null", compact(public("ES256"))):
        yield Case(f"key set {text[:20]}", text, good, "jwt_no_keys")
    mine = compact(public("ES256"))
    yield Case("two lists of keys", f'{{"keys":[],"keys":[{mine}]}}', good, "jwt_no_keys", ONE_MEANING)
    yield Case("two kty of a key", f'{{"keys":[{mine[:-1]},"kty":"EC"}}]}}', good, "jwt_no_keys", ONE_MEANING)
    yield Case("broken keys beside a good one", [{}, {"kty": "EC"}, public("ES256")], good, "jwt_ok")
    yield Case("what is no key beside a good one", [public("ES256"), 7, None, "a"], good, "jwt_ok")


def signatures():
    for name in ALGORITHMS:
        good, keys = token(name), [public(name)]
        yield Case(f"{name}: a bit of the signature", keys, withSignature(good, lambda s: bytes([s[0] ^ 1]) + s[1:]))
        yield Case(f"{name}: a bit at its end", keys, withSignature(good, lambda s: s[:-1] + bytes([s[-1] ^ 1])))
        yield Case(f"{name}: a signature of zeros", keys, withSignature(good, lambda s: bytes(len(s))))
        yield Case(f"{name}: a byte less", keys, withSignature(good, lambda s: s[:-1]))
        yield Case(f"{name}: a byte more", keys, withSignature(good, lambda s: s + b"\0"))
        yield Case(f"{name}: no signature", keys, withSignature(good, lambda s: b""), "jwt_malformed")
        head, _, signature = good.split(".")
        yield Case(f"{name}: other claims", keys, f"{head}.{encode(compact({**CLAIMS, 'sub': 'admin'}))}.{signature}")
        yield Case(f"{name}: another header", keys, f"{encode(compact({'alg': name, 'typ': 'x'}))}.{good.split('.', 1)[1]}")
    order, good, keys = ORDERS["P-256"], token("ES256"), [public("ES256")]

    def halves(s):
        return int.from_bytes(s[:32], "big"), int.from_bytes(s[32:], "big")

    def joined(r, s):
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    yield Case("ES256: as DER", keys, withSignature(good, lambda s: encode_dss_signature(*halves(s))))
    yield Case("ES256: halves swapped", keys, withSignature(good, lambda s: joined(*reversed(halves(s)))))
    yield Case("ES256: n - s, which is as good", keys, withSignature(good, lambda s: joined(halves(s)[0], order - halves(s)[1])), "jwt_ok")
    for r, s in ((0, 1), (1, 0), (order, 1), (1, order), (order, order), (1, 1), (2**256 - 1, 2**256 - 1)):
        yield Case(f"ES256: r {r:x}, s {s:x}", keys, withSignature(good, lambda _: joined(r, s)))
    longer = withSignature(good, lambda s: b"\0" + s[:32] + b"\0" + s[32:])
    yield Case("ES256: a zero before each half", keys, longer, stricter="RFC 7518: halves have the curve's length")
    malleable = withSignature(token("EdDSA"), lambda s: s[:32] + (int.from_bytes(s[32:], "little") + ED_ORDER).to_bytes(32, "little"))
    yield Case("EdDSA: s beyond the order", [public("EdDSA")], malleable)
    private = KEYS["RS256"].get_op_key("sign")
    modulus = int.from_bytes(decode(public("RS256")["n"]), "big")
    text = token("PS256").rpartition(".")[0]

    def pss(salt, mgf=hashes.SHA256(), hash=hashes.SHA256()):
        return f"{text}.{encode(private.sign(text.encode(), padding.PSS(padding.MGF1(mgf), salt), hash))}"

    keys = [public("RS256")]
    yield Case("PS256: salt as the hash", keys, pss(32), "jwt_ok")
    for salt in (0, 20, 31, 33, 64, padding.PSS.MAX_LENGTH):
        yield Case(f"PS256: salt of {salt}", keys, pss(salt))
    yield Case("PS256: another hash in the mask", keys, pss(32, hashes.SHA1()))
    yield Case("PS256: another hash", keys, pss(32, hashes.SHA512(), hashes.SHA512()))
    good = token("RS256")
    text = good.rpartition(".")[0]
    value = int.from_bytes(decode(good.rpartition(".")[2]), "big")
    for what, number in {"s + n": value + modulus, "n - s": modulus - value, "1": 1, "n - 1": modulus - 1}.items():
        yield Case(f"RS256: {what}", keys, f"{text}.{encode(number.to_bytes(256 if number < 2**2048 else 257, 'big'))}")
    sha1 = private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1())
    yield Case("RS256: by SHA-1", keys, f"{text}.{encode(sha1)}")


def encodings():
    """The same bytes, or nearly, in other forms."""
    one_form = "bytes have one form of base64url (RFC 7515)"
    keys, good = [public("HS256")], token("HS256")
    head, body, signature = good.split(".")
    bad = {
        "no dot": head + body,
        "one dot": f"{head}.{body}",
        "three dots": good + ".",
        "a dot in front": "." + good,
        "four parts": f"{good}.{signature}",
        "six parts": f"{good}.{good}",
        "only dots": "..",
        "empty": "",
        "no header": f".{body}.{signature}",
        "no claims": f"{head}..{signature}",
        "no signature": f"{head}.{body}.",
        "Bearer": "Bearer " + good,
        "quotes": f'"{good}"',
        "a list": f"{good},{good}",
        "JSON": compact({"payload": body, "protected": head, "signature": "AA"}),
        "percent": good.replace(".", "%2E"),
    }
    for what, text in bad.items():
        yield Case(f"form: {what}", keys, text, "jwt_malformed")
    flat = compact({"payload": body, "protected": head, "signature": signature})
    yield Case("form: JSON of a good token", keys, flat, "jwt_malformed")
    for cut in (1, 10, len(head), len(head) + 1, len(head) + 20, len(good) // 2):
        yield Case(f"cut to {cut}", keys, good[:cut], "jwt_malformed")
    yield Case("a signature that is cut", keys, withSignature(good, lambda s: s[:-6]))
    yield Case("base64url: a space behind", keys, good + " ", "jwt_malformed")
    yield Case("base64url: a space in front", keys, " " + good, "jwt_malformed")
    yield Case("base64url: a space inside", keys, f"{head[:5]} {head[5:]}.{body}.{signature}", "jwt_malformed")
    padded = {"header": f"{head}==.{body}.{signature}", "claims": f"{head}.{body}==.{signature}", "signature": good + "="}
    for what, text in padded.items():
        yield Case(f"base64url: padding of the {what}", keys, text, "jwt_malformed", one_form)
    starred = f"{head}.{body}.{signature[:9]}****{signature[9:]}"
    yield Case("base64url: stars in the signature", keys, starred, "jwt_malformed", one_form)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = alphabet[alphabet.index(signature[-1]) ^ 1]
    yield Case("base64url: a bit left over in the signature", keys, f"{head}.{body}.{signature[:-1]}{spare}", "jwt_malformed", one_form)
    plain = next(t for t in (token("HS256", claims={"n": i}) for i in range(500)) if set("-_") & set(t.split(".")[2]))
    standard = plain[: plain.rindex(".")] + plain[plain.rindex(".") :].replace("-", "+").replace("_", "/")
    yield Case("base64 of the other alphabet", keys, standard, "jwt_malformed", one_form)
    for where in (0, len(good) // 2, len(good) - 1):
        yield Case(f"a letter of no alphabet at {where}", keys, good[:where] + "é" + good[where + 1 :], "jwt_malformed")


def headers():
    jose = "RFC 7515: such a token is not read here"
    keys = [public("ES256")]
    for more in ({"crit": ["exp"], "exp": 1}, {"crit": ["http://x"]}, {"crit": "b64"}):
        yield Case(f"header {more}", keys, token("ES256", **more), "jwt_malformed")
    for more in ({"crit": ["alg"]}, {"crit": []}, {"b64": True}):
        yield Case(f"header {more}", keys, token("ES256", **more), "jwt_malformed", jose)
    head, body = compact({"alg": "ES256", "b64": False, "crit": ["b64"]}), compact(CLAIMS)
    signature = encode(rawSign("ES256", f"{encode(head)}.{body}"))
    yield Case("b64 false", keys, f"{encode(head)}.{encode(body)}.{signature}", "jwt_malformed", jose)
    yield Case("b64 false, with raw claims", keys, f"{encode(head)}.{body}.{signature}", "jwt_malformed")
    for more in ({"zip": "DEF"}, {"enc": "A128GCM"}, {"cty": "JWT"}, {"cty": "jwt"}, {"cty": "application/JWT"}, {"cty": 7}, {"typ": 7}):
        yield Case(f"header {more}", keys, token("ES256", **more), "jwt_malformed", jose)
    for more in ({"typ": "JWT"}, {"typ": "at+jwt"}, {"cty": "json"}, {"x": {"crit": [1]}}, {"iss": "a"}, {"x5c": ["MII"]}):
        yield Case(f"header {more}", keys, token("ES256", **more), "jwt_ok")
    inner = token("ES256")
    yield Case("a token inside a token", keys, token("ES256", claims=inner, cty="JWT"), "jwt_malformed")
    yield Case("a token inside a token, unmarked", keys, token("ES256", claims=inner), "jwt_malformed")
    shared = jwk.JWK.generate(kty="oct", size=128)
    for alg, key in (("dir", shared), ("A128KW", shared), ("RSA-OAEP", KEYS["RS256"])):
        sealed = jwe.JWE(compact(CLAIMS), compact({"alg": alg, "enc": "A128GCM"}), recipient=key).serialize(True)
        yield Case(f"encrypted by {alg}", allKeys(), sealed, "jwt_malformed")
        three = ".".join(sealed.split(".")[i] for i in (0, 3, 4))
        yield Case(f"encrypted by {alg}, of three parts", allKeys(), three, "jwt_algorithm")
    twice = '{"alg":"ES256","alg":"ES256"}'
    yield Case("alg twice", keys, token("ES256", twice), "jwt_malformed", ONE_MEANING)
    yield Case("alg twice, first none", keys, token("ES256", '{"alg":"none","alg":"ES256"}'), "jwt_malformed", ONE_MEANING)
    yield Case("alg twice, then none", keys, token("ES256", '{"alg":"ES256","alg":"none"}'), "jwt_malformed")
    yield Case("alg twice, once escaped", keys, token("ES256", '{"\\u0061lg":"none","alg":"ES256"}'), "jwt_malformed", ONE_MEANING)
    yield Case("kid twice", keys, token("ES256", '{"alg":"ES256","kid":"a","kid":"b"}'), "jwt_malformed", ONE_MEANING)
    for text in ("", " ", "null", "[]", '"ES256"', "7", '{"alg":"ES256"', '{"alg":"ES256"}x', '{"alg":"ES256",}', "{'alg':'ES256'}"):
        yield Case(f"header text {text}", keys, token("ES256", text), "jwt_malformed")
    yield Case("header with a byte order mark", keys, token("ES256", b'\xef\xbb\xbf{"alg":"ES256"}'), "jwt_malformed")
    yield Case("header that is not UTF-8", keys, token("ES256", b'{"alg":"ES256","x":"\xff"}'), "jwt_malformed")
    yield Case("header in UTF-16", keys, token("ES256", '{"alg":"ES256"}'.encode("utf-16-le")), "jwt_malformed")


def claims():
    keys = [public("EdDSA")]

    def of(text, verdict="jwt_malformed", stricter=None):
        shown = text if len(text) < 50 else text[:40] + type(text)("..." if isinstance(text, str) else b"...")
        return Case(f"claims {shown}", keys, token("EdDSA", claims=text), verdict, stricter)

    for text in ("", " ", "null", "[]", '"a"', "7", "{", '{"a":1}x', '{"a":1,}', "{'a':1}", '{"a":01}', '{"a":+1}', "sub=me"):
        yield of(text)
    for text in (b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"\x00{}", b"{}\x00", b'{"a":"\x01"}'):
        yield of(text)
    for name in ("iss", "sub", "jti"):
        for value in (1, None, True, [], ["a"], {"a": 1}):
            yield of(compact({name: value}), stricter=TYPES)
    for value in (1, None, True, {"a": 1}, [1], ["a", 1], ["a", None], [["a"]]):
        yield of(compact({"aud": value}), stricter=TYPES)
    for name in ("exp", "nbf", "iat"):
        for value in ("1", None, True, [1], {}, "2026-01-01T00:00:00Z", ""):
            yield of(compact({name: value}), stricter=TYPES)
        for value in ("NaN", "Infinity", "-Infinity"):
            yield of(f'{{"{name}":{value}}}', stricter="no JSON (RFC 8259)")
        for value in ("1e309", "-1e309"):
            yield of(f'{{"{name}":{value}}}', stricter="times are finite")
        edges = (0, -1, 1, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**30)
        for value in (*map(str, edges), "0.5", "1e300", "-1e300", "1E2", "5e-324", "-0", "-0.0"):
            yield of(f'{{"{name}":{value}}}', "jwt_ok")
    for value in ("a", [], ["a"], ["a"] * 100, ""):
        yield of(compact({"aud": value}), "jwt_ok")
    twice = ('{"sub":"me","sub":"admin"}', '{"sub":"me","\\u0073ub":"admin"}', '{"exp":1,"exp":1}')
    for text in (*twice, '{"a":{"b":1,"b":2}}', '{"a":[{"b":1,"b":1}]}'):
        yield of(text, stricter=ONE_MEANING)
    yield of('{"a":"\\ud800"}', stricter="half a surrogate pair is no text")
    for depth in (1, 16, 31):
        yield of('{"a":' + "[" * depth + "]" * depth + "}", "jwt_ok")
    for depth in (32, 33, 500):
        yield of('{"a":' + "[" * depth + "]" * depth + "}", stricter="nested 32 deep at most")
    yield of('{"a":' * 32 + "1" + "}" * 32, "jwt_ok")
    yield of('{"a":' * 33 + "1" + "}" * 33, stricter="nested 32 deep at most")
    yield of('{"a":' + "[" * 20000)
    yield of(compact({"a": "x" * 48000}), "jwt_ok")
    yield of(compact({"a": "x" * 50000}), "jwt_too_large", "64 KiB at most")
    yield of(compact({str(i): i for i in range(4000)}), "jwt_ok")
    yield Case("a token of 64 KiB of letters", keys, "a" * 65536, "jwt_malformed")
    yield Case("a token of more", keys, "a" * 65537, "jwt_too_large")


def verdictsOf(cases):
    lines = "".join(f"{case.text}\t{case.token}\n" for case in cases)
    run = subprocess.run([program("jwt_verdicts")], input=lines.encode(), capture_output=True, timeout=120)
    if run.returncode != 0:
        raise AssertionError(f"jwt_verdicts ended with {run.returncode}: {run.stderr.decode(errors='replace')}")
    return run.stdout.decode().splitlines()


class JwtTokens(unittest.TestCase):
    def compare(self, cases):
        verdicts = verdictsOf(cases)
        self.assertEqual(len(verdicts), len(cases))
        for case, verdict in zip(cases, verdicts):
            with self.subTest(case.name):
                self.assertEqual(verdict, case.verdict)
                good = judgedGood(case)
                if verdict == "jwt_ok":
                    self.assertTrue(good, "jwcrypto refuses it")
                elif case.stricter is None:
                    self.assertFalse(good, "jwcrypto takes it, and the case does not say why it is refused here")
                else:
                    self.assertTrue(good, f"jwcrypto refuses it, too: '{case.stricter}' is no reason")

    def test_tokens_of_all_algorithms_are_taken(self):
        self.compare(list(goodTokens()))

    def test_the_algorithm_that_a_token_names_is_not_believed(self):
        self.compare(list(confusedAlgorithms()))

    def test_a_public_key_is_no_secret(self):
        self.compare(list(publicKeysAsSecrets()))

    def test_keys_are_chosen_by_what_they_are(self):
        self.compare(list(chosenKeys()))

    def test_weak_and_broken_keys_verify_nothing(self):
        self.compare(list(keyMaterial()))

    def test_signatures_are_exact(self):
        self.compare(list(signatures()))

    def test_a_token_has_one_encoding(self):
        self.compare(list(encodings()))

    def test_headers_have_one_meaning(self):
        self.compare(list(headers()))

    def test_claims_have_one_meaning(self):
        self.compare(list(claims()))

    def test_a_token_with_any_letter_changed_is_refused(self):
        draw = random.Random(7)
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="
        cases = []
        for name in ALGORITHMS:
            good = token(name)
            for _ in range(40):
                at = draw.randrange(len(good))
                letter = draw.choice([each for each in alphabet if each != good[at]])
                cases.append(Case(f"{name}: {letter} at {at}", allKeys(), good[:at] + letter + good[at + 1 :]))

        for case, verdict in zip(cases, verdictsOf(cases)):
            with self.subTest(case.name):
                self.assertNotEqual(verdict, "jwt_ok")
                self.assertNotEqual(verdict, "jwt_no_keys")


if __name__ == "__main__":
    unittest.main()
