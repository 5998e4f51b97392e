"""Credentials come from folders, files and the environment; plaintext reaches nothing but this machine."""

from pathlib import Path

import pytest

from pecete.channel import open_channel
from pecete.credentials import Credentials, is_loopback
from pecete.errors import InvalidArgumentError


def write(folder: Path, **files: str) -> dict[str, str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return {name: str(folder / name) for name in files}


def reason_of(error: pytest.ExceptionInfo[InvalidArgumentError]) -> tuple[str, str]:
    return error.value.reason, error.value.field


def test_a_folder_is_read(tmp_path: Path) -> None:
    for name in ("ca.pem", "client.pem", "client-key.pem"):
        (tmp_path / name).write_text(name)
    assert Credentials.from_folder(tmp_path) == Credentials(
        ca=b"ca.pem", certificate=b"client.pem", key=b"client-key.pem"
    )


def test_a_folder_without_its_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (tmp_path / "client.pem").touch()
    with pytest.raises(InvalidArgumentError, match=r"client-key\.pem") as error:
        Credentials.from_folder(tmp_path)
    assert reason_of(error) == ("FILE_UNREADABLE", "key")


def test_the_environment_is_read(tmp_path: Path) -> None:
    paths = write(tmp_path, ca="CA", certificate="CERTIFICATE", key="KEY", api=" secret\n")
    credentials = Credentials.from_environment(
        {
            "PECETE_CA": paths["ca"],
            "PECETE_CERTIFICATE": paths["certificate"],
            "PECETE_KEY": paths["key"],
            "PECETE_TOKEN_FILE": paths["api"],
        }
    )
    assert credentials == Credentials(ca=b"CA", certificate=b"CERTIFICATE", key=b"KEY", token="secret")  # noqa: S106
    assert credentials.metadata() == (("authorization", "Bearer secret"),)


def test_the_environment_may_name_a_folder(tmp_path: Path) -> None:
    for name in ("ca.pem", "client.pem", "client-key.pem"):
        (tmp_path / name).write_text(name)
    credentials = Credentials.from_environment({"PECETE_CREDENTIALS": str(tmp_path), "PECETE_TOKEN": "t"})
    assert (credentials.key, credentials.token) == (b"client-key.pem", "t")


def test_an_empty_environment_gives_no_credentials() -> None:
    assert Credentials.from_environment({}) == Credentials()
    assert Credentials().metadata() == ()


def test_two_tokens_are_one_too_many() -> None:
    with pytest.raises(InvalidArgumentError) as error:
        Credentials.from_environment({"PECETE_TOKEN": "a", "PECETE_TOKEN_FILE": "b"})
    assert reason_of(error) == ("TOKEN_TWICE", "PECETE_TOKEN")


def test_an_unreadable_file_is_named_by_its_variable(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        Credentials.from_environment({"PECETE_CA": str(tmp_path / "none.pem")})
    assert reason_of(error) == ("FILE_UNREADABLE", "PECETE_CA")


def test_certificate_and_key_belong_together() -> None:
    with pytest.raises(InvalidArgumentError) as error:
        Credentials(certificate=b"C")
    assert reason_of(error) == ("CERTIFICATE_WITHOUT_KEY", "key")
    with pytest.raises(InvalidArgumentError) as error:
        Credentials(key=b"K")
    assert reason_of(error) == ("KEY_WITHOUT_CERTIFICATE", "certificate")


def test_secrets_are_not_shown() -> None:
    shown = repr(Credentials(certificate=b"C", key=b"private", token="hidden"))  # noqa: S106
    assert "private" not in shown and "hidden" not in shown


@pytest.mark.parametrize(
    ("server", "loopback"),
    [
        ("localhost:7443", True),
        ("127.8.9.1:7443", True),
        ("[::1]:7443", True),
        ("10.0.0.1:7443", False),
        ("localhost.example.ro:7443", False),
    ],
)
def test_loopback_is_known(server: str, loopback: bool) -> None:
    assert is_loopback(server) is loopback


def test_plaintext_goes_to_loopback_only() -> None:
    with pytest.raises(InvalidArgumentError) as error:
        open_channel("example.ro:7443", Credentials(plaintext=True))
    assert reason_of(error) == ("PLAINTEXT_NOT_LOOPBACK", "server")


@pytest.mark.parametrize("server", ["", "example.ro", ":7443", "example.ro:https"])
def test_a_server_is_host_and_port(server: str) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        open_channel(server, Credentials())
    assert reason_of(error) == ("SERVER_MALFORMED", "server")
