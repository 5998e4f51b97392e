"""`pecete-server keys`: the keys in the configured tokens, from the making of one to its certificate.

The work is imported when it is done: worker processes import this module too, and should start quickly.
"""

import getpass
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pecete.errors import InvalidArgumentError
from server.command_options import DEFAULT_CONFIGURATION, ConfigurationFile

if TYPE_CHECKING:
    from server.key_changes import ListedKey

keys_app = typer.Typer(
    help="Keys in the configured tokens: list them, make one, ask for its certificate, import it.",
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Token = Annotated[str, typer.Option("--token", help="Name of a configured token.")]


@keys_app.command("list")
def show(config: ConfigurationFile = DEFAULT_CONFIGURATION, as_json: Json = False) -> None:
    """Show every key of every configured token. Ends with 1 when a token could not be read."""
    from server import key_changes as changes
    from server.key_output import token_json, token_lines

    tokens = changes.list_keys(config)
    if as_json:
        _print_json({"tokens": [token_json(token) for token in tokens]})
    else:
        for line in (line for token in tokens for line in token_lines(token)):
            typer.echo(line)
    if any(token.fault for token in tokens):
        raise typer.Exit(1)


@keys_app.command()
def generate(
    token: Token,
    label: Annotated[str, typer.Option(help="Label of the key in the token, such as sigiliu-2027.")],
    kind: Annotated[
        Literal["rsa3072", "rsa4096", "p256", "p384", "ed25519", "rsa2048"],
        typer.Option(help="What key to make."),
    ] = "p256",
    allow_rsa2048: Annotated[
        bool, typer.Option("--allow-rsa2048", help="Make a key that nobody believes from 2029 on.")
    ] = False,
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
    as_json: Json = False,
) -> None:
    """Make a key inside a token; it can never be read out. The PIN is the configured one, or asked for."""
    from server import key_changes as changes

    _print_key(changes.generate(config, token, kind, label, allow_rsa2048=allow_rsa2048), as_json)


@keys_app.command()
def request(
    token: Token,
    key: Annotated[str, typer.Option(help="The key's CKA_ID, or as much of it as makes it unique.")],
    common_name: Annotated[str, typer.Option(help="commonName, such as the city hall's or the person's.")],
    country: Annotated[str, typer.Option(help="countryName.")] = "RO",
    county: Annotated[str, typer.Option(help="stateOrProvinceName.")] = "",
    locality: Annotated[str, typer.Option(help="localityName.")] = "",
    organisation: Annotated[str, typer.Option(help="organizationName.")] = "",
    organisation_identifier: Annotated[
        str, typer.Option(help="organizationIdentifier, such as VATRO-12345678.")
    ] = "",
    organisational_unit: Annotated[str, typer.Option(help="organizationalUnitName.")] = "",
    title: Annotated[str, typer.Option(help="title, such as Primar.")] = "",
    surname: Annotated[str, typer.Option(help="surname.")] = "",
    given_name: Annotated[str, typer.Option(help="givenName.")] = "",
    serial_number: Annotated[
        str, typer.Option(help="serialNumber; - asks on the terminal, as a personal number must be.")
    ] = "",
    purpose: Annotated[
        Literal["signature", "timestamp"], typer.Option(help="What the certificate shall be for.")
    ] = "signature",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; it must not exist. Default: print it.")
    ] = None,
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
) -> None:
    """Make a certification request (PKCS #10, PEM) for a key, signed by the key."""
    from server import key_changes as changes
    from signer.tokens.request import Subject

    subject = Subject(
        common_name=common_name,
        country=country,
        county=county,
        locality=locality,
        organisation=organisation,
        organisation_identifier=organisation_identifier,
        organisational_unit=organisational_unit,
        title=title,
        surname=surname,
        given_name=given_name,
        serial_number=_serial_number(serial_number),
    )
    if out is not None and out.exists():
        raise InvalidArgumentError("FILE_EXISTS", f"{out} exists; nothing is overwritten.", field="out")
    pem = changes.request(config, token, key, subject, purpose).decode("ascii")
    if out is None:
        typer.echo(pem, nl=False)
        return
    with out.open("x", encoding="ascii") as file:
        file.write(pem)


@keys_app.command("import-certificate")
def import_certificate(
    token: Token,
    certificate: Annotated[Path, typer.Argument(help="PEM or DER; in PEM its issuers may follow.")],
    chain: Annotated[
        list[Path] | None, typer.Option("--chain", help="Issuers' certificates; may be given several times.")
    ] = None,
    config: ConfigurationFile = DEFAULT_CONFIGURATION,
    as_json: Json = False,
) -> None:
    """Store a certificate beside its key, and its issuers below the root, when all of it fits."""
    from server import key_changes as changes

    _print_key(changes.import_certificate(config, token, [certificate, *(chain or [])]), as_json)


def _serial_number(given: str) -> str:
    """Give the subject's serialNumber; one that names a natural person never stands on a command line.

    Those begin with their kind (ETSI EN 319 412-1 §5.1.3), or are a Romanian personal number of 13 digits.
    """
    if given == "-":
        return getpass.getpass("serialNumber: ")
    if re.match(r"(PAS|IDC|PNO|TAX|TIN)|.*\d{13}", given, re.IGNORECASE):
        raise InvalidArgumentError(
            "SERIAL_NUMBER_PERSONAL",
            "A personal number would be seen by others of this machine; give - and type it when asked.",
            field="serial_number",
        )
    return given


def _print_key(key: "ListedKey", as_json: bool) -> None:
    from server.key_output import key_json, key_lines

    if as_json:
        _print_json(key_json(key))
        return
    for line in key_lines(key):
        typer.echo(line)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
