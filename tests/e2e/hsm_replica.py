"""A second SoftHSM token with the same keys: what a copied HSM is to its first."""

import re
import shutil
import uuid
from pathlib import Path

_PADDED = 32


def token_folder(tokens: Path, label: str) -> Path:
    """Give the folder in which SoftHSM keeps a token."""
    padded = label.encode().ljust(_PADDED)
    (found,) = (each for each in tokens.iterdir() if padded in (each / "token.object").read_bytes())
    return found


def copy_token(tokens: Path, label: str, copy: str) -> Path:
    """Copy a token under another label, with a serial of its own and the same PIN; give its folder."""
    folder = tokens / str(uuid.uuid4())
    shutil.copytree(token_folder(tokens, label), folder)
    file = folder / "token.object"
    octets = file.read_bytes().replace(label.encode().ljust(_PADDED), copy.encode().ljust(_PADDED))
    (serial,) = re.findall(rb"\x00\x10([0-9a-f]{16})", octets)
    file.write_bytes(octets.replace(serial, serial[::-1]))
    return folder
