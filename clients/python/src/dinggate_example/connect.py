"""The connection to dinggate."""

import json
from dataclasses import dataclass
from pathlib import Path

import grpc

# [docs:service-config]
# Balances over all addresses of the name, and repeats calls that ended UNAVAILABLE. No other code may be listed here.
# A connection that breaks under a call ends it as UNAVAILABLE, too: a write needs a request_id.
SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [
                    {"service": "dinggate.group.v1.GroupService"},
                    {"service": "dinggate.group.v1.MemberService"},
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)
# [/docs:service-config]
WITHOUT_RETRIES = [("grpc.enable_retries", 0)]


class UsageError(Exception):
    """The program cannot be run like this."""


@dataclass
class Settings:
    """Where the gateway is, whom to trust and who we are."""

    addr: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token_file: Path | None = None

    @classmethod
    def from_environment(cls, environment):
        def path(name):
            return Path(environment[name]) if environment.get(name) else None

        addr = environment.get("DINGGATE_ADDR")
        if not addr:
            raise UsageError("DINGGATE_ADDR is not set: the host:port of the gateway")
        settings = cls(
            addr, path("DINGGATE_CA"), path("DINGGATE_CERT"), path("DINGGATE_KEY"), path("DINGGATE_TOKEN_FILE")
        )
        if (settings.cert is None) != (settings.key is None):
            raise UsageError("DINGGATE_CERT and DINGGATE_KEY go together")
        if settings.ca is None and (settings.cert or settings.token_file):
            raise UsageError("a certificate or a token is sent over TLS only: set DINGGATE_CA")
        return settings


# [docs:connect]
# Notices a connection that nobody answers on any more, such as after the loss of a node, while calls are open. It is the
# ping's own time that counts, a minute if not set; grpc.keepalive_timeout_ms (grpcio 1.85) does not shorten it.
KEEPALIVE = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
]


class TokenFile(grpc.AuthMetadataPlugin):
    """Reads the token for every call: Kubernetes replaces the file before the token expires."""

    def __init__(self, path):
        self._path = path

    def __call__(self, context, callback):
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            callback((), error)
        else:
            callback((("authorization", f"Bearer {token}"),), None)


def connect_tls(settings, options, library):
    """`settings.ca` vouches for the gateway; `cert` and `key` (mTLS) or `token_file` say who we are.
    `library` is `grpc`, or `grpc.aio` for asyncio."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=settings.ca.read_bytes(),
        private_key=settings.key and settings.key.read_bytes(),
        certificate_chain=settings.cert and settings.cert.read_bytes(),
    )
    if settings.token_file:
        token = grpc.metadata_call_credentials(TokenFile(settings.token_file))
        credentials = grpc.composite_channel_credentials(credentials, token)
    return library.secure_channel(f"dns:///{settings.addr}", credentials, [*options, *KEEPALIVE])
# [/docs:connect]


def connect(settings, options=(("grpc.service_config", SERVICE_CONFIG),), library=grpc):
    """One channel serves the whole program: it is safe to share between threads, and it reconnects by itself."""
    if settings.ca:
        return connect_tls(settings, options, library)
    return library.insecure_channel(f"dns:///{settings.addr}", [*options, *KEEPALIVE])
