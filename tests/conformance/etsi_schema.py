"""The XML Schema of ETSI TS 119 102-2 and those that it imports, out of the jars of the EU's DSS.

They say nothing of a licence, so they are not in this repository: Maven brings them, as it does for the judge
beside the repository, and each jar must have the SHA-256 that it had when this was written.
"""

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxml import etree

GROUP, VERSION = "eu.europa.ec.joinup.sd-dss", "6.4"
JARS = {
    "specs-validation-report": "9a11a1cc164dba4ce8671a2b387989fe198a110e5d76637365d0ff8023c36b80",
    "specs-xades": "b3c1fe12e6cb2a053dc359e780f815b4cca7909b12568914761cb659b260f9cf",
    "specs-trusted-list-v211": "cd8f3de91d71fcfe0574d68d0c5c96f6247aa962dac10612120e51ef20550af7",
    "specs-xmldsig": "de0231899bb2e17729cba9dbe7709cd539e9983a5f10468bb7f7eee4afe73125",
}
PLACES = {
    "1910202xmlSchema.xsd": ("specs-validation-report", "1910202xmlSchema.xsd"),
    "xmldsig-core-schema.xsd": ("specs-xmldsig", "xmldsig-core-schema.xsd"),
    "xml.xsd": ("specs-xmldsig", "xml.xsd"),
    "XAdES.xsd": ("specs-xades", "XAdES.xsd"),
    "ts_119612v020201_201601xsd.xsd": ("specs-trusted-list-v211", "ts_119612v020101_xsd.xsd"),
}
"""Jar and file by the last part of the address under which a schema is imported."""
PATIENCE = 120


class AbsentError(Exception):
    """The schemas cannot be had here; the text says why."""


def schema() -> etree.XMLSchema:
    """Give the schema of reports, an lxml XMLSchema. Raises AbsentError."""
    jars = {name: _jar(name, digest) for name, digest in JARS.items()}
    parser = etree.XMLParser(no_network=True, load_dtd=False)
    parser.resolvers.add(_Resolver(jars))
    return etree.XMLSchema(etree.fromstring(_read(jars, "1910202xmlSchema.xsd"), parser))


class _Resolver(etree.Resolver):
    """Finds imported schemas in the jars and nothing anywhere else."""

    def __init__(self, jars: Mapping[str, Path]) -> None:
        self._jars = jars

    def resolve(  # type: ignore[override] # lxml gives a context, which its stubs do not know
        self,
        system_url: str,
        public_id: str,
        context: Any,  # noqa: ANN401 - of lxml
    ) -> Any:  # noqa: ANN401 - of lxml
        name = system_url.rsplit("/", 1)[-1]
        return self.resolve_string(_read(self._jars, name) if name in PLACES else b"", context, base_url=None)


def _read(jars: Mapping[str, Path], name: str) -> bytes:
    jar, member = PLACES[name]
    with zipfile.ZipFile(jars[jar]) as archive:
        return archive.read(f"xsd/{member}")


def _jar(name: str, digest: str) -> Path:
    """Give a jar of the local Maven repository, which Maven fills where it is not there yet."""
    path = (
        Path.home() / ".m2" / "repository" / Path(*GROUP.split("."), name, VERSION, f"{name}-{VERSION}.jar")
    )
    if not path.exists():
        _fetch(name)
    if not path.exists():
        raise AbsentError(f"Maven does not bring {name}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, f"{name} is not the one that is known"
    return path


def _fetch(name: str) -> None:
    if not shutil.which("mvn"):
        raise AbsentError("no mvn on this machine")
    artifact = f"-Dartifact={GROUP}:{name}:{VERSION}:jar"
    command = ["mvn", "-q", "-B", "dependency:get", "-Dtransitive=false", artifact]
    try:
        subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise AbsentError(f"Maven does not bring {name} in time") from error
