"""JSON Web Tokens, good ones and forged ones, made by hand: libraries refuse to make most of these."""

import base64
import hashlib
import hmac
import json
import tempfile
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

OURS = rsa.generate_private_key(65537, 2048)
THEIRS = rsa.generate_private_key(65537, 2048)
PEM = OURS.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
DER = OURS.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
ISSUER, AUDIENCE, KID = "https://issuer.test", "millrace", "ours-1"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return b64(json.dumps(value).encode())


def jwk(key, kid):
    numbers = key.public_key().public_numbers()
    octets = lambda number: b64(number.to_bytes((number.bit_length() + 7) // 8))  # noqa: E731
    return {"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": octets(numbers.n), "e": octets(numbers.e)}


_folder = tempfile.TemporaryDirectory()
with open(f"{_folder.name}/keys.json", "w") as _file:
    json.dump({"keys": [jwk(OURS, KID)]}, _file)

CONFIG = f"""
[jwt]
jwks_file = "{_folder.name}/keys.json"
issuer = ["{ISSUER}"]
audience = ["{AUDIENCE}"]
leeway_seconds = 0
"""

ALL = {"publish": ["**"], "subscribe": ["**"], "history": ["**"], "presence": ["**"]}


def claims(**changed):
    """Those of somebody who may do everything; a change to None leaves one out."""
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "role": "root", "exp": now + 3600, "grants": ALL}
    return {name: value for name, value in (whole | changed).items() if value is not None}


def header(**changed):
    whole = {"alg": "RS256", "typ": "JWT", "kid": KID} | changed
    return {name: value for name, value in whole.items() if value is not None}


def rs256(message, key=OURS):
    return b64(key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256()))


def hs256(message, secret):
    return b64(hmac.digest(secret, message.encode(), hashlib.sha256))


def token(head=None, body=None, sign=rs256):
    message = f"{part(head or header())}.{part(body or claims())}"
    return f"{message}.{sign(message)}"


def by(secret):
    return lambda message: hs256(message, secret)


def theirs(message):
    return rs256(message, THEIRS)


def forged():
    """Kind of forgery → name → a token that must not get in. Each is all right but for one thing."""
    now = int(time.time())
    good = token()
    first, second, signature = good.split(".")
    unsigned = lambda **head: f"{part(header(**head))}.{second}."  # noqa: E731
    return {
        "expired": {
            "just now": token(body=claims(exp=now - 1)),
            "long ago": token(body=claims(exp=0)),
            "before the beginning": token(body=claims(exp=-1)),
        },
        "alg=none": {
            "none": unsigned(alg="none"),
            "None": unsigned(alg="None"),
            "NONE with a signature": unsigned(alg="NONE") + signature,
            "empty": unsigned(alg=""),
            "null": unsigned(alg=None),
            "RS256, but no signature": f"{first}.{second}.",
            "RS256, but no signature and no dot": f"{first}.{second}",
        },
        "key confusion": {
            "public key as a secret (PEM)": token(header(alg="HS256"), sign=by(PEM)),
            "public key as a secret (PEM without its end)": token(header(alg="HS256"), sign=by(PEM.strip())),
            "public key as a secret (DER)": token(header(alg="HS256"), sign=by(DER)),
            "public key as a secret (modulus)": token(header(alg="HS256"), sign=by(jwk(OURS, KID)["n"].encode())),
            "public key as a secret, without a kid": token(header(alg="HS256", kid=None), sign=by(PEM)),
            "empty secret": token(header(alg="HS256"), sign=by(b"")),
            "another algorithm of the same key": token(header(alg="RS512")),
            "an algorithm of another family": token(header(alg="ES256")),
        },
        "foreign kid": {
            "with a key of theirs": token(header(kid="theirs-1"), sign=theirs),
            "with our key": token(header(kid="theirs-1")),
            "a path": token(header(alg="HS256", kid="../../../../dev/null"), sign=by(b"")),
            "SQL": token(header(kid="' UNION SELECT 'x"), sign=theirs),
            "no text": token(header(kid=["ours-1"])),
            "ours, with a key of theirs": token(sign=theirs),
            "none, with a key of theirs": token(header(kid=None), sign=theirs),
            "a key brought along": token(header(kid=None, jwk=jwk(THEIRS, "x")), sign=theirs),
            "a key brought along by our name": token(header(jwk=jwk(THEIRS, KID)), sign=theirs),
            "a place of keys brought along": token(header(kid="x", jku="http://127.0.0.1:9/keys", x5u="http://127.0.0.1:9/"), sign=theirs),
        },
        "no rights": {
            "a role that is none": token(body=claims(role="superuser", grants=None)),
            "a role that is a number": token(body=claims(role=3, grants=None)),
        },
        "other forgeries": {
            "not yet valid": token(body=claims(nbf=now + 600)),
            "without an end": token(body=claims(exp=None)),
            "an end that is text": token(body=claims(exp=str(now + 3600))),
            "another signature": f"{first}.{second}.{b64(bytes(256))}",
            "a signature cut short": f"{first}.{second}.{signature[:-8]}",
            "other claims": f"{first}.{part(claims(sub='eve'))}.{signature}",
            "another header": f"{part(header(typ='jwt'))}.{second}.{signature}",
            "critical extensions": token(header(crit=["b64"], b64=False)),
            "another issuer": token(body=claims(iss="https://issuer.test.evil.example")),
            "no issuer": token(body=claims(iss=None)),
            "an issuer among others": token(body=claims(iss=["x", ISSUER])),
            "another audience": token(body=claims(aud="another")),
            "other audiences": token(body=claims(aud=["another", "millrace2"])),
            "no audience": token(body=claims(aud=None)),
            "nobody": token(body=claims(sub=None)),
            "grants that are none": token(body=claims(grants="**")),
            "claims that are a list": token(body=[claims()]),
            "four parts": good + ".x",
            "five parts": f"{first}.{second}.{signature}.x.x",
            "something behind it": good + "=",
            "a line break": good[:20] + "%0a" + good[20:],
            "standard alphabet": good.replace("-", "+").replace("_", "/"),
            "the key set": json.dumps(jwk(OURS, KID)),
        },
    }  # fmt: skip
