"""Generates the stubs from ../../proto into gen/. Run it after each change of the protos.

google/rpc and google/api come with googleapis-common-protos. Nobody publishes buf/validate as a small Python package, so
its classes are generated here too, from the few rules that proto/third_party declares.
"""

import shutil
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
PROTO = HERE.parent.parent / "proto"
GEN = HERE / "gen"


def main():
    shutil.rmtree(GEN, ignore_errors=True)
    GEN.mkdir()
    protos = [*sorted(PROTO.glob("dinggate/**/*.proto")), PROTO / "third_party/buf/validate/validate.proto"]
    return protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO / 'third_party'}",
            f"--proto_path={PROTO}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={GEN}",
            f"--grpc_python_out={GEN}",
            *map(str, protos),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
