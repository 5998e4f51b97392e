"""Loading PKCS#11 modules so that threads cannot corrupt them."""

import ctypes
import os
from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize

import pkcs11
from pkcs11 import _pkcs11

from pecete.errors import InternalError, UnavailableError

CKF_OS_LOCKING_OK = 0x2
CKR_OK = 0x0
CKR_ARGUMENTS_BAD = 0x7
CKR_CANT_LOCK = 0xA


_INITIALIZE = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)
_INIT_TOKEN = ctypes.CFUNCTYPE(
    ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p
)


class _InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS (PKCS#11 v2.40 §3.7)."""

    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class _FunctionList(ctypes.Structure):
    """The beginning of CK_FUNCTION_LIST (PKCS#11 v2.40 §3.6), as far as it is called here."""

    _fields_ = (
        ("major", ctypes.c_ubyte),
        ("minor", ctypes.c_ubyte),
        ("initialize", _INITIALIZE),
        ("finalize", _INITIALIZE),
        ("get_info", ctypes.c_void_p),
        ("get_function_list", ctypes.c_void_p),
        ("get_slot_list", ctypes.c_void_p),
        ("get_slot_info", ctypes.c_void_p),
        ("get_token_info", ctypes.c_void_p),
        ("get_mechanism_list", ctypes.c_void_p),
        ("get_mechanism_info", ctypes.c_void_p),
        ("init_token", _INIT_TOKEN),
    )


class Module(_pkcs11.lib):
    """A loaded and initialised module.

    python-pkcs11 initialises with `C_Initialize(NULL)`, which promises that only one thread will ever call,
    and yet releases the interpreter's lock during calls; some modules then return wrong signatures without
    any error. This class initialises with CKF_OS_LOCKING_OK instead. A module that cannot lock is initialised
    the old way: it is only ever called from single-threaded worker processes.
    """

    def __init__(self, path: str) -> None:
        self._functions = _function_list(path)
        self._is_initialized = False
        super().__init__(path)

    def initialize(self) -> None:
        """Call C_Initialize unless it was called. Raises GeneralError when the module would not."""
        if self._is_initialized:
            return
        arguments = _InitializeArguments(flags=CKF_OS_LOCKING_OK)
        code = self._functions.initialize(ctypes.addressof(arguments))
        if code in (CKR_CANT_LOCK, CKR_ARGUMENTS_BAD):
            code = self._functions.initialize(None)
        if code != CKR_OK:
            raise pkcs11.GeneralError(f"C_Initialize returned 0x{code:x}")
        self._is_initialized = True

    def finalize(self) -> None:
        """Call C_Finalize: every session of this process ends and every login with it."""
        self._is_initialized = False
        self._functions.finalize(None)

    def tokens(self) -> Iterator[pkcs11.Token]:
        """Give the tokens that are there; a slot that answers with an error hides no other."""
        for slot in _present_slots(self.get_slots):
            try:
                token = slot.get_token()
            except pkcs11.PKCS11Error:
                continue
            yield token

    def initialise_token(self, slot_id: int, so_pin: str, label: str) -> None:
        """Call C_InitToken: whatever was in the token is destroyed (PKCS#11 v2.40 §5.5).

        `label` has at most 32 octets in UTF-8. PKCS11Error says that the module would not.
        """
        pin = so_pin.encode()
        code = self._functions.init_token(slot_id, pin, len(pin), label.encode().ljust(32))
        if code != CKR_OK:
            raise pkcs11.PKCS11Error(f"C_InitToken returned 0x{code:x}")


_MOST_LISTINGS = 5
"""How often slots are listed while tokens come and go, as they seem to where processes share a card."""


def _present_slots(get_slots: Callable[..., list[pkcs11.Slot]]) -> list[pkcs11.Slot]:
    """Slots with a token. Their number is asked first, so one that comes to be meanwhile does not fit.

    CKR_BUFFER_TOO_SMALL, which says so, has no class of its own in python-pkcs11.
    """
    for _ in range(_MOST_LISTINGS - 1):
        try:
            return get_slots(token_present=True)
        except pkcs11.PKCS11Error as error:
            if type(error) is not pkcs11.PKCS11Error:
                raise
    return get_slots(token_present=True)


_loaded: dict[str, tuple[int, Module]] = {}
"""By path: the process that loaded the module, and the module."""


def load(path: str) -> Module:
    """Give the module at `path`, loaded and initialised once in this process.

    Raises UnavailableError TOKEN_MODULE_NOT_LOADED; GeneralError when a module that worked before does not
    initialise any more; InternalError TOKEN_MODULE_FORKED in a process that was forked from one that had
    loaded it, because a module's state does not survive a fork.
    """
    if path in _loaded:
        process, module = _loaded[path]
        if process != os.getpid():
            raise InternalError("TOKEN_MODULE_FORKED", "A PKCS#11 module cannot be used after a fork.")
        module.initialize()
        return module
    try:
        module = Module(path)
    except (OSError, AttributeError, pkcs11.PKCS11Error) as error:
        raise UnavailableError(
            "TOKEN_MODULE_NOT_LOADED", "The PKCS#11 module could not be loaded or initialised."
        ) from error
    _loaded[path] = (os.getpid(), module)
    # Runs at the end of worker processes too, where atexit does not.
    Finalize(None, _unload, (path,), exitpriority=0)
    return module


def unload_all() -> None:
    """End every login of this process, as a module that is finalised does."""
    for path in list(_loaded):
        _unload(path)


def _unload(path: str) -> None:
    """End every login of this process before the interpreter takes the module apart."""
    _, module = _loaded.pop(path)
    module.finalize()


def _function_list(path: str) -> _FunctionList:
    pointer = ctypes.POINTER(_FunctionList)()
    if ctypes.CDLL(path).C_GetFunctionList(ctypes.byref(pointer)) != CKR_OK:
        raise pkcs11.PKCS11Error("C_GetFunctionList failed")
    return pointer.contents
