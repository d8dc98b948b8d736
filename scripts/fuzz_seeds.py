"""Writes what the fuzz targets begin with: fuzz_seeds.py VECTORS FOLDER. Made of the vectors of the callback tests."""

import base64
import hashlib
import json
import pathlib
import struct
import sys
from urllib.parse import urlencode

OWNER = b"dingsnotzck6pm5veliw"


# One of each type: the vectors are about the envelope.
EVENTS = {
    "chat_add_member": {"userId": ["user002", ""], "unionId": ["uA", "uB"], "operator": "user001"},
    "chat_remove_member": {"UserId": ["user002"], "OperatorUnionId": "uOp"},
    "chat_quit": {"operatorUnionId": "uOp"},
    "chat_update_owner": {"owner": "user002", "ownerUnionId": "uA"},
    "chat_update_title": {"title": "\u65b0\u540d\u5b57"},
    "chat_disband": {},
    "chat_unheard_of": {"what": [1, {"a": None}]},
}
COMMON = {"eventId": "e", "TimeStamp": "1760000000100", "chatId": "chat1", "OpenConversationId": "cid1"}


def messages(vectors: dict) -> dict[str, str]:
    events = {name: json.dumps({"EventType": name, **COMMON, **fields}) for name, fields in EVENTS.items()}
    return events | {vector["id"]: vector["plaintext"] for vector in vectors["positive"]}


def envelope(message: bytes) -> bytes:
    """Before encryption, for the owner whom the target knows."""
    plain = b"0123456789abcdef" + struct.pack(">I", len(message)) + message + OWNER
    padding = 32 - len(plain) % 32
    return plain + bytes([padding]) * padding


def callbacks(vectors: dict) -> dict[str, bytes]:
    seeds = {}
    for vector in vectors["positive"] + vectors["negative"]:
        query = urlencode({name: vector.get(name, "") for name in ("signature", "timestamp", "nonce")})
        encrypt = vector.get("encrypt", "")
        body = json.dumps({"encrypt": encrypt})
        seeds[f"{vector['id']}-0"] = b"0" + f"{query}\n{body}".encode()
        seeds[f"{vector['id']}-1"] = b"1" + encrypt.encode()
    for name, message in messages(vectors).items():
        seeds[f"{name}-2"] = b"2" + envelope(message.encode())
    return seeds


def frames(vectors: dict) -> dict[str, bytes]:
    headers = {"messageId": "m", "eventId": "e", "eventType": "chat_add_member", "eventBornTime": "1760000000150"}

    def frame(kind: str, topic: str, data: str) -> bytes:
        return json.dumps({"type": kind, "headers": {**headers, "topic": topic}, "data": data}).encode()

    seeds = {
        "ping": frame("SYSTEM", "ping", '{"opaque":"o"}'),
        "disconnect": frame("SYSTEM", "disconnect", '{"reason":"expired"}'),
        "quota": frame("EVENT", "*", '{"errCode":20001}'),
        "robot": frame("CALLBACK", "/v1.0/im/bot/messages/get", "{}"),
    }
    for name, message in messages(vectors).items():
        seeds[name] = frame("EVENT", "*", message)
    return seeds


def resume_tokens() -> dict[str, bytes]:
    seeds = {}
    for name, place in {"first": (0, 0, 0), "some": (1, 1760000000000, 7), "last": (2**64 - 1,) * 3}.items():
        said = struct.pack(">BQQQ", 1, *place)
        seal = hashlib.sha256(said + b"demo").digest()[:7]
        seeds[name] = base64.urlsafe_b64encode(said + seal).rstrip(b"=")
    return seeds


def main() -> None:
    vectors = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for target, seeds in (
        ("callback", callbacks(vectors)),
        ("frame", frames(vectors)),
        ("resume_token", resume_tokens()),
    ):
        folder = pathlib.Path(sys.argv[2], target, "seeds")
        folder.mkdir(parents=True)
        for name, seed in seeds.items():
            (folder / name).write_bytes(seed)


main()
