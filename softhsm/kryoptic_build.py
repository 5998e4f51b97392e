"""Builds the PKCS#11 module kryoptic from its crate into .pecete/kryoptic, once.

    python3 softhsm/kryoptic_build.py

Needs cargo with edition 2024 (Rust 1.85), libclang, and the headers of OpenSSL and SQLite; takes a minute on
two idle cores. The crate's default features want more than OpenSSL 3.0, so it is built with the least, which
lacks EdDSA.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VERSION = "1.5.4"
FOLDER = Path(__file__).resolve().parent.parent / ".pecete" / "kryoptic"
MODULE = FOLDER / f"libkryoptic_pkcs11-{VERSION}.so"

_FEATURES = ("--no-default-features", "--features", "minimal,kryoptic-lib/dynamic")
_MANIFEST = f"""\
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
kryoptic = "={VERSION}"
"""


def build() -> None:
    """Fetch and build the crate, locked as its authors locked it. Raises OSError, CalledProcessError."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        (folder / "Cargo.toml").write_text(_MANIFEST, encoding="utf-8")
        (folder / "lib.rs").touch()
        target = folder / "target"
        command = ("cargo", "build", "--quiet", "--release", "--locked", "--target-dir", target)
        subprocess.run((*command, "--manifest-path", _fetch(folder), *_FEATURES), check=True)
        shutil.move(target / "release" / "libkryoptic_pkcs11.so", MODULE)


def _fetch(folder: Path) -> Path:
    """Have cargo unpack the crate and give the path of its manifest."""
    command = ("cargo", "metadata", "--quiet", "--format-version", "1")
    packages = json.loads(subprocess.check_output(command, cwd=folder))["packages"]
    return Path(next(each["manifest_path"] for each in packages if each["name"] == "kryoptic"))


if __name__ == "__main__":
    start = time.monotonic()
    if not MODULE.exists():
        try:
            build()
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"kryoptic could not be built: {error}")
        sys.stdout.write(f"kryoptic {VERSION} built in {time.monotonic() - start:.0f} s\n")
