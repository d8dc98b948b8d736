"""Stops a gateway while a call is in flight, and wants the call to end well.

    python in_flight.py GRPC_ADDR HTTP_ADDR UPSTREAM_PORT STOP_COMMAND...

Stands in for DingTalk at UPSTREAM_PORT: when the gateway asks it for a token, the stop command is run, and the answer waits
until the gateway has said that it stops. The gateway's app `slow` has its hosts there and may expose its token.
"""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc

sys.path.append(str(Path(__file__).resolve().parents[1] / "smoke"))
from smoke import Service, wait_until_serving  # noqa: E402

LIMIT_SECONDS = 20


def is_draining(http):
    try:
        urllib.request.urlopen(f"http://{http}/readyz", timeout=LIMIT_SECONDS)
    except urllib.error.HTTPError as refusal:
        return refusal.code == 503
    return False


def upstream(port, http, stop):
    class DingTalk(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL)
            while not is_draining(http):
                pass
            body = json.dumps({"accessToken": "a-token-that-came-late", "expireIn": 7200}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", port), DingTalk)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(grpc_addr, http, port, *stop):
    upstream(int(port), http, stop)
    channel = grpc.insecure_channel(grpc_addr)
    wait_until_serving(channel)
    reply = Service(channel, "dinggate.admin.v1.TokenService").call("GetAccessToken", {"app": "slow"})
    if reply["access_token"] != "a-token-that-came-late":
        raise SystemExit(f"the call in flight got {reply}")
    print("the call in flight got its answer")


if __name__ == "__main__":
    main(*sys.argv[1:])
