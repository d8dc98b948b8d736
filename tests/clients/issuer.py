"""An issuer of JSON Web Tokens, such as a Kubernetes cluster is."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NAME = "https://issuer.test"
AUDIENCE = "dinggate"
KEY_ID = "first"


class Issuer:
    """Signs with ES256."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())

    def key_set(self):
        """The public key, as a JWK set."""
        point = self._key.public_key().public_numbers()
        x, y = (encoded(number.to_bytes(32, "big")) for number in (point.x, point.y))
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": x, "y": y}
        return json.dumps({"keys": [key]})

    def token(self, subject, lifetime):
        """A token that lasts for so many seconds from now; less than zero: it has expired."""
        now = int(time.time())
        header = {"alg": "ES256", "typ": "JWT", "kid": KEY_ID}
        claims = {"iss": NAME, "aud": [AUDIENCE], "sub": subject, "iat": now - 7200, "exp": now + lifetime}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
