"""dinggate-example example | watch SECONDS [TOKEN] | vectors FILE | check NAME | probe | trace: see ../../CONTRACT.md."""

import asyncio
import os
import sys
from pathlib import Path

import grpc

from dinggate_example import checks, incident, tracing, vectors, watch
from dinggate_example.connect import WITHOUT_RETRIES, Settings, UsageError, connect


def run(arguments, environment):
    settings = Settings.from_environment(environment)
    simulator = environment.get("DINGGATE_SIMULATOR", "")
    match arguments:
        case ["example"]:
            with connect(settings) as channel:
                incident.run(channel)
        case ["watch", seconds, *token] if seconds.isdecimal() and int(seconds) > 0 and len(token) < 2:
            asyncio.run(watch.run(lambda: connect(settings, library=grpc.aio), int(seconds), *token))
        case ["vectors", file]:
            with connect(settings, WITHOUT_RETRIES) as channel:
                return vectors.run(channel, simulator, Path(file))
        case ["check", name] if name in checks.CHECKS:
            with connect(settings) as channel:
                return checks.run(channel, simulator, name)
        case ["probe"]:
            with connect(settings, WITHOUT_RETRIES) as channel:
                print(checks.probe(channel), flush=True)
        case ["trace"]:
            tracing.run(
                lambda: connect(settings),
                lambda channel: incident.open_group(channel, "Traced", "manager4220", ["user001"]),
            )
        case _:
            raise UsageError(__doc__)
    return True


def main():
    try:
        passed = run(sys.argv[1:], os.environ)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except grpc.RpcError as error:
        print(incident.explain(error), file=sys.stderr)
        return 1
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
