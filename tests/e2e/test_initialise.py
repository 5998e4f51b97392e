"""`init`: a folder that a server can run from, made once; and the command that manages principals."""

import re
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from archive.journal import head
from pecete.credentials import Credentials
from pecete.errors import AlreadyExistsError, InvalidArgumentError, PeceteError
from server import identity
from server.authorization import Role
from server.config import load
from server.config_check import check
from server.database import Database
from server.initialise import ADMINISTRATOR, CONFIGURATION, init
from server.principals_command import principals_app

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init(tmp_path / "town", ("pecete.town.example", "10.1.2.3"))
    return tmp_path / "town"


def command(folder: Path, *arguments: str) -> str:
    """Run `principals` and give what it prints; its typed errors are raised."""
    result = CliRunner().invoke(principals_app, [*arguments, "--config", str(folder / "pecete.toml")])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_the_configuration_checks_and_the_administrator_is_known(folder: Path) -> None:
    configuration = load(folder / "pecete.toml", {})
    check(configuration, {})
    database = Database(configuration.database_url())
    with database.read() as connection:
        pem = Credentials.from_folder(folder / "credentials").certificate
        principal = identity.identify_certificate(connection, pem)
        assert head(connection).size == 2
    assert principal.name == ADMINISTRATOR
    assert principal.roles == frozenset(Role)
    database.close()


def test_what_the_configuration_offers_in_comments_is_understood(folder: Path) -> None:
    text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", CONFIGURATION).replace('"tsa"', '"seal"')
    (folder / "all.toml").write_text(text)
    configuration = load(folder / "all.toml", {})
    assert configuration.tokens[0].name == configuration.timestamping.token == "seal"
    assert configuration.timestamping.external is not None
    assert configuration.timestamping.external.url == "https://tsa.example/"
    assert configuration.validation.trust == (folder / "root.pem",)


def test_certificates_lead_to_the_authority_and_name_the_hosts(folder: Path) -> None:
    authority, server, client = (
        x509.load_pem_x509_certificate((folder / name).read_bytes())
        for name in ("tls/ca.pem", "tls/server.pem", "credentials/client.pem")
    )
    for certificate in (server, client):
        certificate.verify_directly_issued_by(authority)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "pecete.town.example"]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1", "10.1.2.3"]
    assert isinstance(server.public_key(), ec.EllipticCurvePublicKey)


def test_keys_are_private(folder: Path) -> None:
    keys = [*folder.rglob("*.key"), *folder.rglob("*-key.pem")]
    assert len(keys) == 4
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(AlreadyExistsError, match="ALREADY_INITIALISED") as refusal:
        init(folder)
    assert refusal.value.metadata["path"].startswith(str(folder))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "journal.key").write_text("mine")
    with pytest.raises(AlreadyExistsError) as refusal:
        init(other)
    assert refusal.value.metadata["path"] == str(other / "journal.key")
    assert [path.name for path in other.iterdir()] == ["journal.key"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match="DIRECTORY_UNUSABLE"):
        init(tmp_path / "file" / "below")


def test_principals_are_managed_by_the_command(folder: Path) -> None:
    token = command(
        folder, "add", "principals/ana", "--role", "signer", "--role", "auditor", "--token"
    ).strip()
    further = command(folder, "enrol", "principals/ana", "--token").strip()
    database = Database(load(folder / "pecete.toml", {}).database_url())
    with database.read() as connection:
        for secret in (token, further):
            assert identity.identify_token(connection, secret).name == "principals/ana"
    assert "principals/ana\tauditor,signer\t\n" in command(folder, "list")
    command(folder, "revoke", "principals/ana")
    assert "principals/ana\tauditor,signer\trevoked " in command(folder, "list")
    with database.read() as connection:
        for secret in (token, further):
            with pytest.raises(PeceteError, match="TOKEN_INVALID"):
                identity.identify_token(connection, secret)
    database.close()


def test_a_certificate_that_is_none_changes_nothing(folder: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="CERTIFICATE_UNREADABLE"):
        command(
            folder, "add", "principals/x", "--role", "signer", "--certificate", str(folder / "journal.key")
        )
    assert "principals/x" not in command(folder, "list")
