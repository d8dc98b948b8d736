"""DingTalk as its official SDK sees it: pointed at the simulator, with a note of every field sent and answered."""

import importlib
import json
import re
import urllib.request

from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions
from Tea.exceptions import TeaException
from Tea.model import TeaModel

RUNTIME = RuntimeOptions(connect_timeout=10_000, read_timeout=10_000)


class Mismatch(Exception):
    """An answer is not what it has to be."""


def equal(what, actual, wanted):
    if actual != wanted:
        raise Mismatch(f"{what} is {actual!r}, not {wanted!r}")


class Dingtalk:
    """Calls by operation id: which SDK method that is, the reference says."""

    def __init__(self, address, operations):
        self._address = address
        self._sdk_names = {operation["id"]: operation["sdk"] for operation in operations}
        self._fields = {}
        self.token = None

    def call(self, operation, argument):
        """Sends a request of the SDK (or, for a call without one, what goes into the path); returns the parsed body."""
        package, action = self._sdk_names[operation].split(".")
        models = importlib.import_module(f"alibabacloud_dingtalk.{package}.models")
        client = importlib.import_module(f"alibabacloud_dingtalk.{package}.client").Client(
            Config(protocol="http", endpoint=self._address)
        )
        # The token calls come without a token, and so without a class for their headers.
        headers_class = getattr(models, f"{action}Headers", None)
        headers = headers_class(x_acs_dingtalk_access_token=self.token) if headers_class else {}
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower() + "_with_options"
        self._note(operation, argument)
        response = getattr(client, method)(argument, headers, RUNTIME)
        equal("the HTTP status", response.status_code, 200)
        # An answer that is always empty has no class for a body.
        body = getattr(response, "body", None)
        self._note(operation, body)
        return body

    def refuse(self, operation, argument, code):
        """Sends a request that has to end in this error, as the SDK reports it."""
        try:
            self.call(operation, argument)
        except TeaException as error:
            equal("the error", error.code, code)
        else:
            raise Mismatch(f"no error {code}")

    def never_set(self, operation):
        """The fields that no request or answer of the operation had so far, as Class.attribute."""
        return {name for name, was_set in self._fields.get(operation, {}).items() if not was_set}

    def _note(self, operation, value):
        if isinstance(value, TeaModel):
            seen = self._fields.setdefault(operation, {})
            for name, inner in vars(value).items():
                name = f"{type(value).__name__}.{name}"
                seen[name] = seen.get(name, False) or inner is not None
                self._note(operation, inner)
        elif isinstance(value, (list, dict)):
            for inner in value.values() if isinstance(value, dict) else value:
                self._note(operation, inner)

    def group(self, open_conversation_id):
        """What the simulator has under this id, past the API."""
        groups = self.http("/_sim/state")["groups"]
        return next(group for group in groups if group["open_conversation_id"] == open_conversation_id)

    def http(self, path, body=None):
        """What the SDK does not do, the simulator's controls and a legacy call: POST, or GET without a body."""
        data = None if body is None else json.dumps(body).encode()
        url, headers = f"http://{self._address}{path}", {"content-type": "application/json"}
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)
