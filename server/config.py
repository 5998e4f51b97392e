"""The configuration: one TOML file, overridden by variables of the environment.

`PECETE__SERVER__LISTEN=…` overrides `listen` of `[server]`; `PECETE__TOKENS__0__MODULE=…` overrides `module`
of the first `[[tokens]]`. A key that nobody knows, in the file or in the environment, stops the start.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import Literal, cast

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pecete.errors import InvalidArgumentError
from server.config_reader import Address, EnvironmentText, Reader, Secret, missing, wrong_type, wrong_value

PREFIX = "PECETE__"
"""How the names of overriding variables begin."""

GIB = 1024 * 1024 * 1024

_LISTEN = Address("127.0.0.1", 7443)
_METRICS_LISTEN = Address("127.0.0.1", 7444)
_TIMESTAMPING_LISTEN = Address("127.0.0.1", 7318)
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_PRINCIPAL = re.compile(r"principals/[a-z0-9][a-z0-9-]{0,62}")
_QUERY = frozenset(
    ("application_name", "host", "passfile", "port", "sslcert", "sslkey", "sslmode", "sslrootcert")
)
"""What a PostgreSQL URL may say besides: what psycopg and asyncpg understand alike."""
_WHOLE_NUMBERS = (
    ("server.workers", 1, 256),
    ("server.grace_seconds", 0, 3600),
    ("journal.checkpoint_seconds", 1, 3540),
    ("documents.maximum_bytes", 1, 1024 * GIB),
    ("documents.expire_after_hours", 1, 24 * 3660),
)


@dataclass(frozen=True)
class ServerSettings:
    """`[server]`: where it listens, how many worker processes it has, how it stops and what it logs."""

    listen: Address = _LISTEN
    metrics_listen: Address = _METRICS_LISTEN
    workers: int = 2
    grace_seconds: int = 30
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class TlsSettings:
    """`[tls]`: the server's certificate and key; with `client_ca` callers need a certificate of it."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    insecure_loopback: bool = False


@dataclass(frozen=True)
class DatabaseSettings:
    """`[database]`: a SQLAlchemy URL, its password apart; without a URL SQLite in the storage folder."""

    url: str = ""
    password: Secret | None = None


@dataclass(frozen=True)
class StorageSettings:
    """`[storage]`: the folder that holds the documents' bytes, and where that is, for people."""

    directory: Path
    location: str = field(default_factory=gethostname)


@dataclass(frozen=True)
class JournalSettings:
    """`[journal]`: the Ed25519 key (PEM) that signs checkpoints, the log's origin line, how often."""

    key: Path
    origin: str
    checkpoint_seconds: int = 60


@dataclass(frozen=True)
class DocumentSettings:
    """`[documents]`: the longest document that is taken, and for how long an unheld one is kept."""

    maximum_bytes: int = GIB
    expire_after_hours: int = 24 * 30


@dataclass(frozen=True)
class TokenSettings:
    """One `[[tokens]]`: a PKCS#11 token and the principals that may sign with it.

    Without `pin` the PIN comes with each call, and one process drives the token whatever `workers` says;
    without `allowed` nobody signs. `owner` marks the token of one person: nobody else signs with it, and its
    PIN is never configured. A process whose token takes longer than `timeout_seconds` over one signature is
    killed.
    """

    name: str
    module: Path
    token_label: str
    pin: Secret | None = None
    workers: int = 1
    timeout_seconds: int = 60
    rsa_scheme: Literal["pkcs1", "pss"] | None = None
    allowed: tuple[str, ...] = ()
    owner: str = ""

    @property
    def users(self) -> tuple[str, ...]:
        """The principals that may sign with it."""
        return (self.owner,) if self.owner else self.allowed


@dataclass(frozen=True)
class ExternalAuthority:
    """`[timestamping.external]`: a time-stamping authority of others and the roots it must lead to."""

    url: str
    trust: tuple[Path, ...]


@dataclass(frozen=True)
class TimestampingSettings:
    """`[timestamping]`: our own authority (a certificate, its key in a token or in software), and others."""

    listen: Address = _TIMESTAMPING_LISTEN
    policy: str = ""
    accuracy_seconds: float = 1.0
    certificate: Path | None = None
    token: str = ""
    software_key: Path | None = None
    clock: Literal["system"] = "system"
    external: ExternalAuthority | None = None

    @property
    def has_own_authority(self) -> bool:
        """Whether this service stamps by itself."""
        return self.certificate is not None


@dataclass(frozen=True)
class ValidationSettings:
    """`[validation]`: trust anchors, revocation lists, whether they are needed, whether more are fetched."""

    trust: tuple[Path, ...] = ()
    crl: tuple[Path, ...] = ()
    revocation: Literal["required", "off"] = "required"
    fetch: bool = False


@dataclass(frozen=True)
class TrustedListSettings:
    """`[trusted_lists]`: the list of trusted lists, and whom to believe that it is the one.

    official_journal: certificates from the Official Journal of the European Union, PEM; its publication has
    the address `official_journal_url`.
    """

    official_journal: tuple[Path, ...]
    official_journal_url: str = ""
    lotl_url: str = "https://ec.europa.eu/tools/lotl/eu-lotl.xml"


@dataclass(frozen=True)
class Configuration:
    """Everything that is configured."""

    storage: StorageSettings
    journal: JournalSettings
    server: ServerSettings = field(default_factory=ServerSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    documents: DocumentSettings = field(default_factory=DocumentSettings)
    tokens: tuple[TokenSettings, ...] = ()
    timestamping: TimestampingSettings = field(default_factory=TimestampingSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    trusted_lists: TrustedListSettings | None = None

    @property
    def trusted_lists_directory(self) -> Path:
        """Where the last good trusted lists are kept."""
        return self.storage.directory / "trusted-lists"

    def database_url(self, environ: Mapping[str, str] | None = None) -> URL:
        """Give the database's URL with its password; printing it hides the password.

        Raises InvalidArgumentError CONFIGURATION_SECRET_MISSING.
        """
        if not self.database.url:
            return URL.create("sqlite", database=str(self.storage.directory / "pecete.db"))
        url = make_url(self.database.url)
        if self.database.password is not None:
            url = url.set(password=self.database.password.read(environ))
        return url


def load(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Read the TOML file and the environment, and refuse whatever is not understood.

    Raises InvalidArgumentError CONFIGURATION_UNREADABLE, CONFIGURATION_SYNTAX, CONFIGURATION_UNKNOWN_KEY,
    CONFIGURATION_KEY_MISSING, CONFIGURATION_WRONG_TYPE, CONFIGURATION_WRONG_VALUE,
    CONFIGURATION_SECRET_LITERAL; the field is the key's dotted name, such as `tokens[0].pin`.
    """
    table = _read(path)
    names = sorted(name for name in environ if name.startswith(PREFIX))
    for name in sorted(names, key=_parts_for_sorting):
        _override(table, name, environ[name])
    base = path.resolve().parent
    configuration = Reader(base).section(Configuration, table)
    _check_numbers(configuration)
    _check_transport(configuration)
    _check_tokens(configuration)
    _check_timestamping(configuration)
    _check_trusted_lists(configuration)
    return _with_absolute_database(configuration, base)


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgumentError(
            "CONFIGURATION_UNREADABLE",
            f"The configuration file cannot be read: {error.strerror}.",
            field="config",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(
            "CONFIGURATION_SYNTAX", f"The configuration file is not TOML: {error}.", field="config"
        ) from error


def _parts_for_sorting(name: str) -> list[tuple[int, str]]:
    """Array items in the order of their numbers, so that each new one follows its neighbour."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split("__")]


def _override(table: dict[str, object], name: str, value: str) -> None:
    """Put one variable's text where its name points."""
    *way, last = name.removeprefix(PREFIX).lower().split("__")
    node: object = table
    key = ""
    for part, following in zip(way, [*way, last][1:], strict=True):
        key = _step_name(key, part)
        fresh: object = [] if following.isdigit() else {}
        node = _child(node, part, fresh, key)
    key = _step_name(key, last)
    if isinstance(node, list):
        _child(node, last, None, key)
        node[int(last)] = EnvironmentText(value)
    elif isinstance(node, dict):
        node[last] = EnvironmentText(value)
    else:
        raise wrong_type(key, "a key of a table")


def _step_name(key: str, part: str) -> str:
    if part.isdigit():
        return f"{key}[{part}]"
    return f"{key}.{part}" if key else part


def _child(node: object, part: str, fresh: object, key: str) -> object:
    """Give the table or array below a node, made when missing; array items only one after the other."""
    if isinstance(node, dict):
        return cast("dict[str, object]", node).setdefault(part, fresh)
    if not isinstance(node, list) or not part.isdigit() or int(part) > len(node):
        raise InvalidArgumentError("CONFIGURATION_UNKNOWN_KEY", "There is no such setting.", field=key)
    if int(part) == len(node):
        node.append(fresh)
    return node[int(part)]


def _check_numbers(configuration: Configuration) -> None:
    for key, least, most in _WHOLE_NUMBERS:
        section, name = key.split(".")
        if not least <= getattr(getattr(configuration, section), name) <= most:
            raise wrong_value(key, f"This must be between {least} and {most}.")


def _check_transport(configuration: Configuration) -> None:
    """TLS always, except on request where nobody else can listen."""
    tls = configuration.tls
    if not tls.insecure_loopback:
        for name in ("certificate", "key"):
            if getattr(tls, name) is None:
                raise missing(f"tls.{name}")
    elif not configuration.server.listen.is_loopback:
        raise wrong_value(
            "tls.insecure_loopback", "Without TLS the server listens on a loopback address only."
        )


def _check_tokens(configuration: Configuration) -> None:
    seen: set[str] = set()
    for index, token in enumerate(configuration.tokens):
        if token.name in seen:
            raise wrong_value(f"tokens[{index}].name", "Another token has this name.")
        seen.add(token.name)
        if not 1 <= token.workers <= 64:
            raise wrong_value(f"tokens[{index}].workers", "This must be between 1 and 64.")
        if not 1 <= token.timeout_seconds <= 3600:
            raise wrong_value(f"tokens[{index}].timeout_seconds", "This must be between 1 and 3600.")
        for position, principal in enumerate(token.allowed):
            if not _PRINCIPAL.fullmatch(principal):
                raise wrong_value(f"tokens[{index}].allowed[{position}]", "This must be principals/NAME.")
        if token.owner:
            _check_personal_token(token, f"tokens[{index}]")


def _check_personal_token(token: TokenSettings, key: str) -> None:
    """Keep a person's key under that person's sole control (Regulation (EU) 910/2014, article 26 (c))."""
    if not _PRINCIPAL.fullmatch(token.owner):
        raise wrong_value(f"{key}.owner", "This must be principals/NAME.")
    if token.pin is not None:
        raise wrong_value(f"{key}.pin", "The PIN of a person's token comes from that person with each call.")
    if token.allowed:
        raise wrong_value(f"{key}.allowed", "A person's token is used by its owner alone.")


def _check_timestamping(configuration: Configuration) -> None:
    settings = configuration.timestamping
    if settings.has_own_authority:
        if bool(settings.token) == bool(settings.software_key):
            raise wrong_value("timestamping.token", "An authority has either `token` or `software_key`.")
        if not _OID.fullmatch(settings.policy):
            raise wrong_value(
                "timestamping.policy", "This must be the policy's OID, such as 1.3.6.1.4.1.99999.1."
            )
        if settings.token and settings.token not in {token.name for token in configuration.tokens}:
            raise wrong_value("timestamping.token", "No token has this name.")
    elif settings.token or settings.software_key:
        raise missing("timestamping.certificate", "An authority's key needs its certificate.")
    if not 0 < settings.accuracy_seconds <= 60:
        raise wrong_value("timestamping.accuracy_seconds", "This must be more than 0 and at most 60.")
    authority = settings.external
    if authority is not None and not authority.url.startswith(("https://", "http://")):
        raise wrong_value("timestamping.external.url", "This must be an http or https URL.")
    if authority is not None and not authority.trust:
        raise wrong_value("timestamping.external.trust", "At least one root is needed.")


def _check_trusted_lists(configuration: Configuration) -> None:
    settings = configuration.trusted_lists
    if settings is None:
        return
    if not settings.official_journal:
        raise wrong_value("trusted_lists.official_journal", "At least one certificate is needed.")
    if not settings.lotl_url.startswith(("https://", "http://")):
        raise wrong_value("trusted_lists.lotl_url", "This must be an http or https URL.")


def _with_absolute_database(configuration: Configuration, base: Path) -> Configuration:
    """Check the database's URL; a SQLite file's relative path is relative to the configuration's folder."""
    settings = configuration.database
    if not settings.url:
        return configuration
    try:
        url = make_url(settings.url)
    except ArgumentError as error:
        raise wrong_value("database.url", "This must be a database URL.") from error
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise wrong_value("database.url", "This must begin with sqlite:/// or postgresql+psycopg://.")
    if url.password is not None or "password" in url.query:
        raise InvalidArgumentError(
            "CONFIGURATION_SECRET_LITERAL",
            "The password belongs into database.password.",
            field="database.url",
        )
    if url.drivername != "sqlite" and not _QUERY.issuperset(url.query):
        raise wrong_value("database.url", f"After the question mark stand only: {', '.join(sorted(_QUERY))}.")
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:":
            raise wrong_value("database.url", "The database must be a file.")
        url = url.set(database=str(base / url.database))
    settings = DatabaseSettings(url.render_as_string(hide_password=False), settings.password)
    return replace(configuration, database=settings)
