# /// script
# requires-python = ">=3.11"
# dependencies = ["grpcio-tools==1.76.0", "mypy-protobuf==5.1.0"]
# ///
"""Writes the Python stubs below clients/python/pecete from proto/; run it with `uv run proto/generate.py`.

The generator lives in an environment of its own: its pins would hold back the service's protobuf.
With `--check` nothing is written: it exits with 1 and names each stub that is not what proto/ says.
"""

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
OUT = PROTO.parent / "clients" / "python"
KINDS = ("python", "grpc_python", "mypy", "mypy_grpc")
WELL_KNOWN = Path(protoc.__file__).parent / "_proto"


def generate(out: Path) -> list[Path]:
    """Run protoc into `out` and give the files it wrote, relative to `out`."""
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "pecete").rglob("*.proto"))
    outputs = [f"--{kind}_out={out}" for kind in KINDS]
    if protoc.main(["protoc", f"-I{PROTO}", f"-I{WELL_KNOWN}", *outputs, *sources]):
        raise SystemExit("protoc failed")
    for folder in {(out / source).parent for source in sources}:
        area = folder.parent.name
        (folder / "__init__.py").write_text(f'"""Generated messages and stubs of pecete.{area}.v1."""\n')
        (folder.parent / "__init__.py").write_text(f'"""The {area} contract."""\n')
    return sorted(path.relative_to(out) for path in out.rglob("*.py*") if path.is_file())


def check() -> list[Path]:
    """Give the committed stubs that differ from what proto/ makes, and those that are left over."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        files = generate(fresh)
        stale = [
            f for f in files if not (OUT / f).exists() or not filecmp.cmp(fresh / f, OUT / f, shallow=False)
        ]
    committed = {path.relative_to(OUT) for path in (OUT / "pecete").glob("*/v1/*.py*")}
    return stale + sorted(committed - set(files))


def main() -> int:
    """Write the stubs, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a stub is stale")
    if parser.parse_args().check:
        stale = check()
        for path in stale:
            print(f"stale: clients/python/{path}")
        return 1 if stale else 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        for path in generate(fresh):
            target = OUT / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((fresh / path).read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
