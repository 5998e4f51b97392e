"""Asking for a PIN: on the terminal, where nobody sees it, and nowhere else."""

import getpass
import warnings

from pecete.errors import FailedPreconditionError


def ask_hidden(prompt: str) -> str:
    """Ask on the terminal without showing what is typed.

    Raises FailedPreconditionError TERMINAL_MISSING where it would be shown.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except getpass.GetPassWarning as error:
            raise FailedPreconditionError(
                "TERMINAL_MISSING", "The PIN is asked for on a terminal, and there is none.", field="pin"
            ) from error
