"""The standard security handler (ISO 32000-2 §7.6.4) of documents that open with an empty user password.

Whoever has such a file can read it, so that its changes can be compared like those of any other. What asks
for a password, or for the key of a recipient, is not read.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from signer.validation.pdf.values import Dictionary, Look, PdfSyntaxError, Stream, Value

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_IDENTITY, _RC4, _AES_128, _AES_256 = "None", "V2", "AESV2", "AESV3"
_ARC4_SIZES = (5, 7, 8, 10, 16, 20, 24, 32)
_AES_BLOCK = 16
_ZERO_VECTOR = bytes(_AES_BLOCK)


class PasswordRequiredError(PdfSyntaxError):
    """The document cannot be read without a password or a key."""


@dataclass(frozen=True)
class SecurityHandler:
    """Decrypts the objects of one document.

    methods: crypt filter name -> its method. strings, streams, attachments: the crypt filters that hold where
    a stream names none. metadata: whether metadata streams are encrypted.
    """

    key: bytes = field(repr=False)
    methods: Mapping[str, str]
    strings: str
    streams: str
    attachments: str
    metadata: bool

    def decrypt(self, value: Value, number: int, generation: int) -> Value:
        """Decrypt the strings of an object in place and let its streams decrypt themselves.

        Never encrypted are /Contents of a signature and cross-reference streams (§7.6.2). Raises
        PdfSyntaxError.
        """
        if isinstance(value, Stream) and value.dictionary.get("/Type") == "/XRef":
            return value
        method = self.methods[self.strings]
        undo = partial(self._undo, method, self._object_key(method, number, generation))
        if isinstance(value, bytes):
            return undo(value)
        if isinstance(value, Stream):
            method = self._method(value.dictionary)
            if method != _IDENTITY:
                value.decrypt = partial(self._undo, method, self._object_key(method, number, generation))
        _decrypt_strings(value.dictionary if isinstance(value, Stream) else value, undo)
        return value

    def _method(self, dictionary: Dictionary) -> str:
        """The method of a stream (§7.6.6), by its Crypt filter or by what it holds."""
        filters, parameters = dictionary.get("/Filter"), dictionary.get("/DecodeParms")
        first = filters[0] if isinstance(filters, list) and filters else filters
        settings = parameters[0] if isinstance(parameters, list) and parameters else parameters
        kind = dictionary.get("/Type")
        if kind == "/Metadata" and not self.metadata:
            return _IDENTITY
        name: Value = self.attachments if kind == "/EmbeddedFile" else self.streams
        if first == "/Crypt":
            name = settings.get("/Name", "/Identity") if isinstance(settings, dict) else "/Identity"
        return self.methods.get(name, _IDENTITY) if isinstance(name, str) else _IDENTITY

    def _object_key(self, method: str, number: int, generation: int) -> bytes:
        """Algorithm 1 (§7.6.3.2); AES-256 uses the file's key as it is."""
        if method in (_AES_256, _IDENTITY):
            return self.key
        material = self.key + (number & 0xFFFFFF).to_bytes(3, "little") + generation.to_bytes(4, "little")[:2]
        salt = b"sAlT" if method == _AES_128 else b""
        return _md5(material + salt)[: min(len(self.key) + 5, 16)]

    @staticmethod
    def _undo(method: str, key: bytes, data: bytes) -> bytes:
        if method == _IDENTITY:
            return data
        return _rc4(key, data) if method == _RC4 else _aes(key, data)


def _decrypt_strings(value: Value, undo: Callable[[bytes], bytes]) -> None:
    stack = [value]
    while stack:
        holder = stack.pop()
        if isinstance(holder, list):
            for index, item in enumerate(holder):
                if isinstance(item, bytes):
                    holder[index] = undo(item)
                else:
                    stack.append(item)
        elif isinstance(holder, dict):
            for key, item in holder.items():
                if isinstance(item, bytes) and not (key == "/Contents" and "/ByteRange" in holder):
                    holder[key] = undo(item)
                else:
                    stack.append(item)


def unlock(dictionary: Dictionary, identifier: bytes, look: Look) -> SecurityHandler:
    """The security handler of an encryption dictionary, opened with the empty user password.

    identifier: first string of the trailer's /ID. Raises PasswordRequiredError where it does not open, and
    PdfSyntaxError where the dictionary makes no sense.
    """
    known = {key: look(item) for key, item in dictionary.items()}
    if known.get("/Filter") != "/Standard":
        raise PasswordRequiredError("the document is encrypted for recipients")
    version, revision = _number(known, "/V"), _number(known, "/R")
    metadata = known.get("/EncryptMetadata") != "false"
    if version in (1, 2, 4) and revision in (2, 3, 4):
        key = _legacy_key(known, revision, identifier, metadata or version != 4)
    elif version == 5 and revision in (5, 6):
        key = _key_256(known, revision == 6)
    else:
        raise PdfSyntaxError(f"an encryption that is not known, /V {version} /R {revision}")
    if version in (1, 2):
        return SecurityHandler(key, {"/": _RC4}, "/", "/", "/", True)
    return _with_crypt_filters(known, key, metadata, look)


def _with_crypt_filters(known: Dictionary, key: bytes, metadata: bool, look: Look) -> SecurityHandler:
    """The crypt filters of /V 4 and 5 (§7.6.6)."""
    suitable = (_AES_256,) if known["/V"] == 5 else (_RC4, _AES_128)
    methods = {"/Identity": _IDENTITY}
    filters = known.get("/CF")
    for name, item in filters.items() if isinstance(filters, dict) else ():
        crypt_filter = look(item)
        method = look(crypt_filter.get("/CFM")) if isinstance(crypt_filter, dict) else None
        method = method[1:] if isinstance(method, str) else _IDENTITY
        if method != _IDENTITY and method not in suitable:
            raise PdfSyntaxError(f"a crypt filter that is not known, {method}")
        methods.setdefault(name, method)
    streams, strings = known.get("/StmF", "/Identity"), known.get("/StrF", "/Identity")
    attachments = known.get("/EFF", streams)
    names = [name for name in (strings, streams, attachments) if isinstance(name, str) and name in methods]
    if len(names) != 3:
        raise PdfSyntaxError("a crypt filter that is named and not there")
    return SecurityHandler(key, methods, names[0], names[1], names[2], metadata)


def _legacy_key(known: Dictionary, revision: int, identifier: bytes, metadata: bool) -> bytes:
    """Algorithms 2 and 6 (§7.6.4.3.2, §7.6.4.4.5), RC4 and AES-128."""
    bits = 40 if known["/V"] == 1 else 128 if known["/V"] == 4 else known.get("/Length", 40)
    if not isinstance(bits, int) or bits % 8 or not 40 <= bits <= 128:
        raise PdfSyntaxError("an encryption key of an odd length")
    owner, user, permissions = _string(known, "/O", 32), _string(known, "/U", 16), _number(known, "/P")
    material = _PADDING + owner[:32] + (permissions & 0xFFFFFFFF).to_bytes(4, "little") + identifier
    digest = _md5(material if metadata else material + b"\xff\xff\xff\xff")
    for _ in range(50 if revision > 2 else 0):
        digest = _md5(digest[: bits // 8])
    key = digest[: bits // 8]
    if revision == 2:
        opened = _rc4(key, _PADDING) == user[:32]
    else:
        check = _md5(_PADDING + identifier)
        for step in range(20):
            check = _rc4(bytes(octet ^ step for octet in key), check)
        opened = check == user[:16]
    if not opened:
        raise PasswordRequiredError("the document asks for a password")
    return key


def _key_256(known: Dictionary, hardened: bool) -> bytes:
    """Algorithms 2.A and 11 (§7.6.4.3.3): AES-256 by the hash of /R 5, or by that of /R 6."""
    user, wrapped = _string(known, "/U", 48), _string(known, "/UE", 32)
    digest = _hash_2b if hardened else lambda salt: hashlib.sha256(salt).digest()
    if digest(user[32:40]) != user[:32]:
        raise PasswordRequiredError("the document asks for a password")
    unwrapping = Cipher(algorithms.AES(digest(user[40:48])), modes.CBC(_ZERO_VECTOR)).decryptor()
    return unwrapping.update(wrapped[:32])


def _hash_2b(salt: bytes) -> bytes:
    """Algorithm 2.B (§7.6.4.3.4) for the empty user password."""
    key, rounds, last = hashlib.sha256(salt).digest(), 0, 0
    while rounds < 64 or last > rounds - 32:
        encryptor = Cipher(algorithms.AES(key[:16]), modes.CBC(key[16:32])).encryptor()
        scrambled = encryptor.update(key * 64)
        name = ("sha256", "sha384", "sha512")[sum(scrambled[:16]) % 3]
        key, last, rounds = hashlib.new(name, scrambled).digest(), scrambled[-1], rounds + 1
    return key[:32]


def _number(known: Dictionary, key: str) -> int:
    value = known.get(key)
    if not isinstance(value, int):
        raise PdfSyntaxError(f"an encryption dictionary without {key}")
    return value


def _string(known: Dictionary, key: str, size: int) -> bytes:
    value = known.get(key)
    if not isinstance(value, bytes) or len(value) < size:
        raise PdfSyntaxError(f"an encryption dictionary without {key}")
    return value


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    """RC4; a key of a size that the library does not take is repeated, which makes the same cipher."""
    size = next((size for size in _ARC4_SIZES if size % len(key) == 0), None)
    if size is None:
        raise PdfSyntaxError("an encryption key of an odd length")
    return Cipher(ARC4(key * (size // len(key))), None).encryptor().update(data)


def _aes(key: bytes, data: bytes) -> bytes:
    """AES-CBC with its initialisation vector before it and padding after it (§7.6.3.1)."""
    if not data:
        return b""
    if len(data) % _AES_BLOCK or len(data) < 2 * _AES_BLOCK:
        raise PdfSyntaxError("bad AES data")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(data[:_AES_BLOCK])).decryptor()
    plain = decryptor.update(data[_AES_BLOCK:])
    padding = plain[-1]
    if not 1 <= padding <= _AES_BLOCK or plain[-padding:] != bytes([padding]) * padding:
        raise PdfSyntaxError("bad AES padding")
    return plain[:-padding]
