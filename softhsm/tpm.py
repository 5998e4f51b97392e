"""tpm2-pkcs11 on a TPM in software (swtpm), behind the resource manager that it needs for several processes.

The PINs of these tokens stand in command lines, as the tool that makes the tokens takes them nowhere else.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pecete.errors import UnavailableError
from signer.tokens.configuration import TokenConfiguration
from signer.tokens.module import load
from signer.tokens.objects import stored_public_keys
from signer.tokens.provision import KeyKind
from signer.tokens.session import find_token
from softhsm.pki import TestPki
from softhsm.provider import SPARE, Provider, daemon, plans, require_files
from softhsm.provision import ProvisionedToken, TokenPlan, certify_key, random_pin, token_maker

NAME = "tpm2-pkcs11"
KINDS: tuple[KeyKind, ...] = ("rsa2048", "rsa3072", "p256", "p384")

_MODULE = Path("/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1")
_SWTPM = Path("/usr/bin/swtpm")
_RESOURCE_MANAGER = Path("/usr/sbin/tpm2-abrmd")
_BUS = Path("/usr/bin/dbus-daemon")
_TOOL = Path("/usr/bin/tpm2_ptool")
_PACKAGES: Mapping[str, Path] = {
    "libtpm2-pkcs11-1": _MODULE,
    "libtpm2-pkcs11-tools": _TOOL,
    "swtpm": _SWTPM,
    "tpm2-abrmd": _RESOURCE_MANAGER,
    "tpm2-tools": Path("/usr/bin/tpm2_getcap"),
    "dbus-daemon": _BUS,
    "libtss2-tcti-swtpm0": Path("/usr/lib/x86_64-linux-gnu/libtss2-tcti-swtpm.so.0"),
    "libtss2-tcti-tabrmd0": Path("/usr/lib/x86_64-linux-gnu/libtss2-tcti-tabrmd.so.0"),
}
_ALGORITHMS = {"p256": "ecc256", "p384": "ecc384"}
_RESOURCE_MANAGER_ADDRESS = "tabrmd:bus_type=session"


@contextmanager
def tpm(folder: Path, pki: TestPki) -> Iterator[Provider]:
    """Start a TPM with a token for each kind of key and a spare one, and stop it at the end of the block.

    Raises FailedPreconditionError PROVIDER_NOT_AVAILABLE, UnavailableError PROVIDER_FAILED or of the token.
    """
    for package, path in _PACKAGES.items():
        require_files(package, path)
    folder.mkdir()
    environment = {
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder / 'bus'}",
        "TPM2_PKCS11_STORE": str(folder / "store"),
        "TPM2_PKCS11_TCTI": _RESOURCE_MANAGER_ADDRESS,
        "TPM2TOOLS_TCTI": _RESOURCE_MANAGER_ADDRESS,
    }
    with ExitStack() as stack:
        _start(stack, folder, {**os.environ, **environment})
        _run(environment, _TOOL, "init", "--path", folder / "store")
        with token_maker(environment) as maker:
            *tokens, spare = [_make(maker, environment, plan, pki) for plan in (*plans(KINDS), SPARE)]

        def unlock() -> None:
            _run(environment, "tpm2_dictionarylockout", "--clear-lockout")

        yield Provider(NAME, _MODULE, environment, tuple(tokens), spare, unlock)


def _start(stack: ExitStack, folder: Path, environment: Mapping[str, str]) -> None:
    """Start the TPM, a message bus of its own, and the resource manager on both."""
    for name in ("state", "store"):
        (folder / name).mkdir()
    chip, bus, log = folder / "tpm", folder / "bus", folder / "daemons.log"
    control = Path(f"{chip}.ctrl")
    swtpm: list[str | Path] = [_SWTPM, "socket", "--tpm2", "--tpmstate", f"dir={folder / 'state'}"]
    swtpm += ["--server", f"type=unixio,path={chip}", "--ctrl", f"type=unixio,path={control}"]
    swtpm += ["--flags", "not-need-init,startup-clear"]
    stack.enter_context(daemon(swtpm, log, lambda: chip.exists() and control.exists(), environment))
    dbus = (_BUS, "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}")
    stack.enter_context(daemon(dbus, log, bus.exists, environment))
    manager = (_RESOURCE_MANAGER, "--session", "--allow-root", f"--tcti=swtpm:path={chip}")
    stack.enter_context(daemon(manager, log, lambda: _answers(environment), environment))


def _answers(environment: Mapping[str, str]) -> bool:
    command = ("tpm2_getcap", "properties-fixed")
    return subprocess.run(command, env=dict(environment), capture_output=True, check=False).returncode == 0


def _make(
    maker: ProcessPoolExecutor, environment: Mapping[str, str], plan: TokenPlan, pki: TestPki
) -> ProvisionedToken:
    """Make a token and its key with tpm2_ptool, for 1.9 makes none over PKCS#11, and certify the key."""
    pin, so_pin = random_pin(), random_pin()
    store = ("--path", environment["TPM2_PKCS11_STORE"], "--label", plan.label, "--userpin", pin)
    _run(environment, _TOOL, "addtoken", "--pid", "1", "--sopin", so_pin, *store)
    _run(environment, _TOOL, "addkey", "--algorithm", _ALGORITHMS.get(plan.kind, plan.kind), *store)
    configuration = TokenConfiguration(plan.label, str(_MODULE), plan.label, pin=pin)
    public_key = maker.submit(_public_key, configuration).result()
    return certify_key(maker, configuration, plan, pki, public_key, so_pin=so_pin)


def _public_key(configuration: TokenConfiguration) -> bytes:
    """Give the SubjectPublicKeyInfo (DER) of a token's only key."""
    module = load(configuration.module)
    # It sees no token that another process made after this one began.
    module.reinitialize()
    with find_token(module, configuration).open() as session:
        (public_key,) = stored_public_keys(session).values()
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _run(environment: Mapping[str, str], *command: str | Path) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False)
    if done.returncode != 0:
        raise UnavailableError("PROVIDER_FAILED", f"{command[0]} failed: {done.stderr.decode().strip()}")
