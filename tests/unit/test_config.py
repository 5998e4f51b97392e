"""Configuration: what is understood, what is refused, and under which name."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from pecete.errors import InvalidArgumentError
from server.config import Configuration, TrustedListSettings, load
from server.config_check import check
from server.config_reader import Address

MINIMAL = """
[storage]
directory = "data"
[journal]
key = "journal.key"
origin = "town.example/pecete"
[tls]
certificate = "server.pem"
key = "server.key"
"""

SEAL = """
[[tokens]]
name = "seal"
module = "libsofthsm2.so"
token_label = "seal"
"""
OWNED = SEAL + "owner = 'principals/primar'\n"


def configure(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Configuration:
    path = folder / "pecete.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ or {})


def test_defaults_and_relative_paths(tmp_path: Path) -> None:
    configuration = configure(tmp_path, MINIMAL)
    assert configuration.server.listen == Address("127.0.0.1", 7443)
    assert configuration.server.metrics_listen == Address("127.0.0.1", 7444)
    assert configuration.timestamping.listen == Address("127.0.0.1", 7318)
    assert configuration.documents.maximum_bytes == 1024**3
    assert configuration.storage.directory == tmp_path / "data"
    assert str(configuration.database_url()) == f"sqlite:///{tmp_path}/data/pecete.db"
    assert not configuration.timestamping.has_own_authority


def test_everything_can_be_said(tmp_path: Path) -> None:
    text = (
        MINIMAL
        + SEAL
        + """
pin = { file = "pin" }
workers = 3
rsa_scheme = "pss"
allowed = ["principals/registry"]
[timestamping]
policy = "1.3.6.1.4.1.99999.1"
certificate = "tsa.pem"
token = "seal"
accuracy_seconds = 2
[timestamping.external]
url = "https://tsa.example/"
trust = ["root.pem"]
[validation]
trust = ["a.pem", "/b.pem"]
revocation = "off"
fetch = true
[trusted_lists]
official_journal = ["journal.pem"]
official_journal_url = "https://journal.example/2019"
[database]
url = "postgresql+psycopg://pecete@db.example/pecete"
password = { env = "DATABASE_PASSWORD" }
"""
    )
    configuration = configure(tmp_path, text)
    assert configuration.trusted_lists == TrustedListSettings(
        (tmp_path / "journal.pem",), "https://journal.example/2019"
    )
    assert configuration.trusted_lists_directory == tmp_path / "data" / "trusted-lists"
    (token,) = configuration.tokens
    assert (token.workers, token.rsa_scheme, token.allowed) == (3, "pss", ("principals/registry",))
    assert configuration.timestamping.external is not None
    assert configuration.timestamping.external.trust == (tmp_path / "root.pem",)
    assert configuration.timestamping.accuracy_seconds == 2.0
    assert configuration.validation.trust == (tmp_path / "a.pem", Path("/b.pem"))
    assert configuration.validation.fetch is True
    url = configuration.database_url({"DATABASE_PASSWORD": "s3cret"})
    assert url.password == "s3cret"  # noqa: S105 - made up
    assert "s3cret" not in repr(url)


def test_the_environment_overrides_and_adds(tmp_path: Path) -> None:
    environ = {
        "PECETE__SERVER__LISTEN": "127.0.0.1:0",
        "PECETE__SERVER__WORKERS": "7",
        "PECETE__TLS__INSECURE_LOOPBACK": "true",
        "PECETE__TOKENS__0__PIN__ENV": "SEAL_PIN",
        "PECETE__TOKENS__0__ALLOWED": "principals/a, principals/b",
        "PECETE__TOKENS__1__NAME": "mayor",
        "PECETE__TOKENS__1__MODULE": "/m.so",
        "PECETE__TOKENS__1__TOKEN_LABEL": "12345",
        "PECETE_PKCS11_MODULE": "is none of ours",
    }
    configuration = configure(tmp_path, MINIMAL + SEAL, environ)
    assert configuration.server.listen == Address("127.0.0.1", 0)
    assert configuration.server.workers == 7
    assert configuration.tls.insecure_loopback
    assert configuration.tokens[0].allowed == ("principals/a", "principals/b")
    assert configuration.tokens[1].token_label == "12345"  # noqa: S105 - a label
    pin = configuration.tokens[0].pin
    assert pin is not None
    assert pin.read({"SEAL_PIN": "4711"}) == "4711"


@pytest.mark.parametrize(
    ("more", "reason", "field"),
    [
        (SEAL + "pni = 1", "UNKNOWN_KEY", "tokens[0].pni"),
        ("[sever]\nlisten = 'x'", "UNKNOWN_KEY", "sever"),
        (SEAL + "pin = '1234'", "SECRET_LITERAL", "tokens[0].pin"),
        (SEAL + "pin = { fiel = 'x' }", "UNKNOWN_KEY", "tokens[0].pin.fiel"),
        (SEAL + "pin = { file = 'x', env = 'y' }", "WRONG_VALUE", "tokens[0].pin"),
        (SEAL + "workers = 0", "WRONG_VALUE", "tokens[0].workers"),
        (SEAL + "timeout_seconds = 0", "WRONG_VALUE", "tokens[0].timeout_seconds"),
        (SEAL + "workers = '2'", "WRONG_TYPE", "tokens[0].workers"),
        (SEAL + "rsa_scheme = 'raw'", "WRONG_VALUE", "tokens[0].rsa_scheme"),
        (SEAL + "allowed = ['everybody']", "WRONG_VALUE", "tokens[0].allowed[0]"),
        (SEAL + "owner = 'primar'", "WRONG_VALUE", "tokens[0].owner"),
        (OWNED + "allowed = ['principals/operator']", "WRONG_VALUE", "tokens[0].allowed"),
        (OWNED + "pin = { file = 'pin' }", "WRONG_VALUE", "tokens[0].pin"),
        (SEAL + SEAL, "WRONG_VALUE", "tokens[1].name"),
        ("[[tokens]]\nname = 'x'", "KEY_MISSING", "tokens[0].module"),
        ("[server]\nworkers = true", "WRONG_TYPE", "server.workers"),
        ("[server]\nlisten = '127.0.0.1'", "WRONG_VALUE", "server.listen"),
        ("[server]\nlisten = '127.0.0.1:70000'", "WRONG_VALUE", "server.listen"),
        ("[server]\ngrace_seconds = -1", "WRONG_VALUE", "server.grace_seconds"),
        ("[server]\nlog_level = 'loud'", "WRONG_VALUE", "server.log_level"),
        ("[documents]\nmaximum_bytes = 0", "WRONG_VALUE", "documents.maximum_bytes"),
        ("[database]\nurl = 'mysql://x/y'", "WRONG_VALUE", "database.url"),
        ("[database]\nurl = 'sqlite://'", "WRONG_VALUE", "database.url"),
        ("[database]\nurl = 'postgresql+psycopg://a:b@c/d'", "SECRET_LITERAL", "database.url"),
        ("[timestamping]\ntoken = 'seal'", "KEY_MISSING", "timestamping.certificate"),
        ("[timestamping]\ncertificate = 'c'", "WRONG_VALUE", "timestamping.token"),
        (
            "[timestamping]\ncertificate = 'c'\nsoftware_key = 'k'",
            "WRONG_VALUE",
            "timestamping.policy",
        ),
        (
            "[timestamping]\ncertificate = 'c'\ntoken = 'no'\npolicy = '1.2.3'",
            "WRONG_VALUE",
            "timestamping.token",
        ),
        ("[timestamping]\naccuracy_seconds = nan", "WRONG_VALUE", "timestamping.accuracy_seconds"),
        (
            "[timestamping.external]\nurl = 'ftp://x'\ntrust = ['a']",
            "WRONG_VALUE",
            "timestamping.external.url",
        ),
        (
            "[timestamping.external]\nurl = 'https://x'\ntrust = []",
            "WRONG_VALUE",
            "timestamping.external.trust",
        ),
        ("[validation]\ntrust = 'a.pem'", "WRONG_TYPE", "validation.trust"),
        ("[validation]\nrevocation = 'soft'", "WRONG_VALUE", "validation.revocation"),
        ("[trusted_lists]", "KEY_MISSING", "trusted_lists.official_journal"),
        (
            "[trusted_lists]\nofficial_journal = []",
            "WRONG_VALUE",
            "trusted_lists.official_journal",
        ),
        (
            "[trusted_lists]\nofficial_journal = ['a']\nlotl_url = 'file:///x'",
            "WRONG_VALUE",
            "trusted_lists.lotl_url",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, more: str, reason: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        configure(tmp_path, MINIMAL + more)
    assert (refusal.value.reason, refusal.value.field) == (f"CONFIGURATION_{reason}", field)


@pytest.mark.parametrize(
    ("name", "value", "reason", "field"),
    [
        ("PECETE__SERVER__LISTNE", "x", "UNKNOWN_KEY", "server.listne"),
        ("PECETE__SERVER__WORKERS", "many", "WRONG_TYPE", "server.workers"),
        ("PECETE__SERVER__WORKERS", "-1", "WRONG_TYPE", "server.workers"),
        ("PECETE__SERVER", "x", "WRONG_TYPE", "server"),
        ("PECETE__SERVER__LISTEN__PORT", "1", "WRONG_TYPE", "server.listen.port"),
        ("PECETE__SERVER__GRACE_SECONDS", "", "WRONG_TYPE", "server.grace_seconds"),
        ("PECETE__TLS__INSECURE_LOOPBACK", "yes", "WRONG_TYPE", "tls.insecure_loopback"),
        ("PECETE__TOKENS__2__NAME", "x", "UNKNOWN_KEY", "tokens[2]"),
        ("PECETE__TOKENS__0__PIN", "1234", "SECRET_LITERAL", "tokens[0].pin"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(
    tmp_path: Path, name: str, value: str, reason: str, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        configure(tmp_path, MINIMAL + "[server]\nlisten = '127.0.0.1:1'" + SEAL, {name: value})
    assert (refusal.value.reason, refusal.value.field) == (f"CONFIGURATION_{reason}", field)
    assert value not in str(refusal.value) or len(value) < 4


def test_tls_is_required_unless_only_this_machine_listens(tmp_path: Path) -> None:
    plain = MINIMAL.partition("[tls]")[0]
    with pytest.raises(InvalidArgumentError) as refusal:
        configure(tmp_path, plain)
    assert refusal.value.field == "tls.certificate"
    insecure = plain + "[tls]\ninsecure_loopback = true\n"
    assert configure(tmp_path, insecure).tls.insecure_loopback
    with pytest.raises(InvalidArgumentError) as refusal:
        configure(tmp_path, insecure + "[server]\nlisten = '0.0.0.0:7443'")
    assert refusal.value.field == "tls.insecure_loopback"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.example.com", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
    ],
)
def test_only_what_is_a_loopback_address_counts_as_one(host: str, expected: bool) -> None:
    assert Address(host, 7443).is_loopback is expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("password=hidden", "CONFIGURATION_SECRET_LITERAL"),
        ("sslmode=require&connect_timeout=10", "CONFIGURATION_WRONG_VALUE"),
    ],
)
def test_a_database_url_says_only_what_both_drivers_understand(
    tmp_path: Path, query: str, reason: str
) -> None:
    url = "postgresql+psycopg://pecete@db.example/pecete?"
    with pytest.raises(InvalidArgumentError) as refusal:
        configure(tmp_path, f"{MINIMAL}\n[database]\nurl = '{url}{query}'")
    assert (refusal.value.reason, refusal.value.field) == (reason, "database.url")
    configured = configure(tmp_path, f"{MINIMAL}\n[database]\nurl = '{url}sslmode=require'")
    assert configured.database.url.endswith("?sslmode=require")


def test_an_unreadable_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        load(tmp_path / "absent.toml", {})
    assert refusal.value.reason == "CONFIGURATION_UNREADABLE"
    with pytest.raises(InvalidArgumentError) as refusal:
        configure(tmp_path, "[server")
    assert refusal.value.reason == "CONFIGURATION_SYNTAX"


def private_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    """A folder in which everything that MINIMAL names exists."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "server.key").write_bytes(private_pem(key))
    (tmp_path / "journal.key").write_bytes(private_pem(ed25519.Ed25519PrivateKey.generate()))
    return tmp_path


def test_check_passes_what_is_complete(complete: Path) -> None:
    check(configure(complete, MINIMAL), {})


@pytest.mark.parametrize(
    ("name", "reason", "field"),
    [
        ("data", "PATH_UNREADABLE", "storage.directory"),
        ("journal.key", "PATH_UNREADABLE", "journal.key"),
        ("server.pem", "PATH_UNREADABLE", "tls.certificate"),
        ("server.key", "PATH_UNREADABLE", "tls.key"),
    ],
)
def test_check_names_a_missing_path(complete: Path, name: str, reason: str, field: str) -> None:
    (complete / name).rename(complete / "elsewhere")
    with pytest.raises(InvalidArgumentError) as refusal:
        check(configure(complete, MINIMAL), {})
    assert (refusal.value.reason, refusal.value.field) == (f"CONFIGURATION_{reason}", field)


def test_check_matches_keys_and_kinds(complete: Path) -> None:
    (complete / "server.key").write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InvalidArgumentError) as refusal:
        check(configure(complete, MINIMAL), {})
    assert refusal.value.field == "tls.key"
    (complete / "journal.key").write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InvalidArgumentError) as refusal:
        check(configure(complete, MINIMAL), {})
    assert refusal.value.field == "journal.key"


def test_check_names_a_missing_secret_and_module(complete: Path) -> None:
    configuration = configure(complete, MINIMAL + SEAL + 'pin = { env = "SEAL_PIN" }')
    with pytest.raises(InvalidArgumentError) as refusal:
        check(configuration, {"SEAL_PIN": "1"})
    assert refusal.value.field == "tokens[0].module"
    (complete / "libsofthsm2.so").touch()
    check(configuration, {"SEAL_PIN": "1"})
    with pytest.raises(InvalidArgumentError) as refusal:
        check(configuration, {})
    assert (refusal.value.reason, refusal.value.field) == ("CONFIGURATION_SECRET_MISSING", "tokens[0].pin")


def test_a_secret_in_a_file_loses_its_line_end(complete: Path) -> None:
    (complete / "pin").write_text("47 11\n")
    configuration = configure(complete, MINIMAL + SEAL + 'pin = { file = "pin" }')
    pin = configuration.tokens[0].pin
    assert pin is not None
    assert pin.read() == "47 11"
    assert "47 11" not in repr(configuration)
