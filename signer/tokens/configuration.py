"""What must be known of a token before it is opened."""

from dataclasses import dataclass, field
from typing import Literal

RsaScheme = Literal["pkcs1", "pss"]


@dataclass(frozen=True)
class TokenConfiguration:
    """One token in one PKCS#11 module.

    name: what the service calls it; module: path of the shared library; token_label and, where labels repeat,
    token_serial: which of the module's tokens it is. pin: the token stays logged in with it; None: the PIN
    comes with each call. rsa_scheme: what its RSA keys sign with; None: RSASSA-PSS from 3000 bits on. A key
    whose certificate says id-RSASSA-PSS (RFC 4055 §1.2) signs with RSASSA-PSS in any case.
    """

    name: str
    module: str
    token_label: str
    token_serial: str = ""
    pin: str | None = field(default=None, repr=False)
    rsa_scheme: RsaScheme | None = None
