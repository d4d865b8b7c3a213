# Tokens, good ones and all kinds of bad ones, made without Ringpost: by PyJWT, and by hand where PyJWT refuses to be wrong.
import base64
import hashlib
import hmac
import json
import time

import jwt

from node import AUDIENCE, ISSUER

LIFETIME_SECONDS = 3_600


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header, claims, sign=lambda _: b""):
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{base64url(sign(text.encode()))}"


class Mint:
    def __init__(self, node):
        self.secret = node.text("keys/shared.hs256").rstrip(b"\n")
        self.public = node.text("keys/login.pub.pem")
        self.login = node.text("signing/login.pem")
        self.foreign = node.text("signing/foreign.pem")

    def claims(self, user, **changes):
        now = int(time.time())
        claims = {"sub": user, "exp": now + LIFETIME_SECONDS, "iat": now, "iss": ISSUER, "aud": AUDIENCE}
        claims.update({"subscribe": ["*"], "publish": ["flood"], "jti": f"of-{user}"})
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def hmac(self, claims, secret=None, **header):
        key = self.secret if secret is None else secret
        return by_hand({"alg": "HS256", "kid": "shared", **header}, claims, lambda text: hmac.new(key, text, hashlib.sha256).digest())

    def good(self, user, **changes):
        return self.hmac(self.claims(user, **changes))

    def elliptic(self, claims, key=None, kid="login"):
        return jwt.encode(claims, key or self.login, "ES256", headers={"kid": kid})

    def bad(self, user):
        """Kinds of tokens that nobody may get in with, each with a function that makes one anew, with times of that moment. Those that are
        revoked must be older than their revocation."""
        now = lambda: int(time.time())
        past = now() - 60
        claims = lambda **changes: self.claims(user, jti=None, **changes)
        good = self.good(user)
        head, body, signature = good.split(".")
        return {
            "another issuer": lambda: self.hmac(claims(iss="somebody-else")),
            "another issuer's key, called like ours": lambda: self.elliptic(claims(), self.foreign),
            "a key that nobody knows": lambda: self.elliptic(claims(), self.foreign, "foreign"),
            "another secret": lambda: self.hmac(claims(), b"x" * 32),
            "for another audience": lambda: self.hmac(claims(aud="another-chat")),
            "expired by a second": lambda: self.hmac(claims(exp=now() - 1)),
            "expired by a second (ES256)": lambda: self.elliptic(claims(exp=now() - 1)),
            "not yet valid": lambda: self.hmac(claims(nbf=now() + 60)),
            "of a clock that is 30 s ahead": lambda: self.hmac(claims(iat=now() + 30, nbf=now() + 30, exp=now() + 90)),
            "of a clock that is 30 s behind": lambda: self.hmac(claims(iat=now() - 50, nbf=now() - 50, exp=now() - 10)),
            "valid too long": lambda: self.hmac(claims(exp=now() + 10 * 365 * 86_400)),
            "without exp": lambda: self.hmac(claims(exp=None)),
            "alg none": lambda: by_hand({"alg": "none", "kid": "shared"}, claims()),
            "alg None, signed": lambda: by_hand({"alg": "None", "kid": "shared"}, claims(), lambda text: b"x" * 32),
            "HS256 with the public key's bytes": lambda: self.hmac(claims(), self.public, kid="login"),
            "HS256 with the public key's bytes, without a kid": lambda: self.hmac(claims(), self.public, kid=""),
            "ES256 by name, HS256 by key": lambda: self.hmac(claims(), alg="ES256", kid="shared"),
            "HS512 by name": lambda: self.hmac(claims(), alg="HS512"),
            "of a revoked user": lambda: self.hmac(self.claims("revoked", jti=None, iat=past)),
            "with a revoked id": lambda: self.hmac(self.claims("half-revoked", iat=past)),
            "a signature cut short": lambda: good[:-4],
            "no signature": lambda: f"{head}.{body}.",
            "another one's claims": lambda: f"{head}.{base64url(json.dumps(claims(sub='admin')).encode())}.{signature}",
        }
