"""Checks over TLS: whom a program trusts, and who it says it is."""

import hashlib
import re
import secrets
import tempfile
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

import issuer
from gateway import Sandbox
from issuer import Issuer
from program import expect, succeeded

OK = "OK"
NOBODY = "UNAUTHENTICATED CALLER_UNAUTHENTICATED"
NOT_ALLOWED = "PERMISSION_DENIED CALLER_NOT_ALLOWED"
NO_CONNECTION = "a code alone"
ACCOUNT = "system:serviceaccount:shop:orders"


def callers(orders, readers):
    """One who may do everything that is not dangerous, one who may read; each by its identities."""
    return f"""
[[auth.callers]]
name = "orders"
identities = {orders}
apps = ["demo"]
rpcs = ["*"]

[[auth.callers]]
name = "readers"
identities = {readers}
apps = ["demo"]
rpcs = ["GroupService/Get*"]
"""


TLS = """
[server.tls]
cert = "{folder}/gateway.pem"
key = "{folder}/gateway-key.pem"
"""
MTLS = f"""{TLS}client_ca = "{{folder}}/ca.pem"

[auth]
mode = ["mtls"]
{callers(["mtls:orders.shop.svc"], ["mtls:readers.shop.svc"])}"""
TOKENS = f"""{TLS}
[auth]
mode = ["static", "jwt"]
static.tokens_file = "{{folder}}/tokens"

[[auth.jwt]]
issuer = "{issuer.NAME}"
audiences = ["{issuer.AUDIENCE}"]
jwks_file = "{{folder}}/keys.json"
{callers(["static:orders", f"jwt:{ACCOUNT}"], ["static:readers"])}"""


class Files:
    """Keys, certificates and tokens for a gateway and its callers, in a folder of their own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        ours, foreign = trustme.CA(), trustme.CA()
        ours.cert_pem.write_to_path(self.folder / "ca.pem")
        foreign.cert_pem.write_to_path(self.folder / "foreign-ca.pem")
        self._issue(ours, "gateway", "127.0.0.1")
        for name in ("orders", "readers", "nobody"):
            self._issue(ours, name, f"{name}.shop.svc")
        self._issue(foreign, "stranger", "orders.shop.svc")
        known = []
        for name in ("orders", "readers"):
            token = secrets.token_urlsafe(32)
            known.append(f"{name} sha256:{hashlib.sha256(token.encode()).hexdigest()}\n")
            self._write_token(name, token)
        (self.folder / "tokens").write_text("".join(known))
        cluster = Issuer()
        (self.folder / "keys.json").write_text(cluster.key_set())
        self._write_token("account", cluster.token(ACCOUNT, 3600))
        self._write_token("expired", cluster.token(ACCOUNT, -3600))

    def _issue(self, authority, name, host):
        issued = authority.issue_cert(host)
        (self.folder / f"{name}-key.pem").write_bytes(pkcs8(issued.private_key_pem.bytes()))
        issued.cert_chain_pems[0].write_to_path(self.folder / f"{name}.pem")

    def _write_token(self, name, token):
        (self.folder / f"{name}.token").write_text(token + "\n")

    def token(self, name):
        return {"DINGGATE_TOKEN_FILE": self.folder / f"{name}.token"}

    def certificate(self, name):
        return {"DINGGATE_CERT": self.folder / f"{name}.pem", "DINGGATE_KEY": self.folder / f"{name}-key.pem"}


def pkcs8(pem):
    """The key in the one form that all TLS libraries read: Java's knows no other."""
    key = serialization.load_pem_private_key(pem, password=None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def check(name, config, who):
    """A gateway with this configuration answers each of `who(files)`, (environment, answer), as it should."""

    def passes(binary, program):
        with tempfile.TemporaryDirectory() as folder:
            files = Files(folder)
            with Sandbox(binary, config=config.format(folder=folder)) as sandbox:
                trusting = {"DINGGATE_ADDR": sandbox.addr, "DINGGATE_CA": files.folder / "ca.pem"}
                for given, wanted in who(files):
                    run = program.run("probe", **{**trusting, **given})
                    answer = run.output.strip()
                    # Libraries differ in the code for it; a reason would be an answer of the gateway.
                    right = re.fullmatch("(?!OK)[A-Z_]+", answer) if wanted is NO_CONNECTION else answer == wanted
                    expect(run.code == 0 and right, f"wanted {wanted} with {given}: {run.told()}")
                known, _ = who(files)[0]
                succeeded(program.run("example", **trusting, **known))

    passes.__name__ = name
    return passes


# The first of each is one with whom the example succeeds, too. A variable without a value counts as not set.
CHECKS = [
    check(
        "tls",
        TLS,
        lambda files: [
            ({}, OK),
            ({"DINGGATE_CA": ""}, NO_CONNECTION),
            ({"DINGGATE_CA": files.folder / "foreign-ca.pem"}, NO_CONNECTION),
        ],
    ),
    check(
        "mtls",
        MTLS,
        lambda files: [
            (files.certificate("orders"), OK),
            (files.certificate("readers"), NOT_ALLOWED),
            (files.certificate("nobody"), NOBODY),
            (files.certificate("stranger"), NO_CONNECTION),
            ({}, NO_CONNECTION),
        ],
    ),
    check(
        "tokens",
        TOKENS,
        lambda files: [
            (files.token("account"), OK),
            (files.token("expired"), NOBODY),
            (files.token("orders"), OK),
            (files.token("readers"), NOT_ALLOWED),
            ({}, NOBODY),
        ],
    ),
]
