"""Fetching CRLs, OCSP responses and issuers' certificates from where certificates say that they are.

Who can make the service fetch chooses where it connects to, so: revocation data are fetched only for
certificates on a path to a trust anchor, and thus from where a trusted authority says. The issuer of a
certificate that no path leads from yet is asked for only at addresses that the whole world may reach. Nothing
but http and https is spoken, no redirect is followed, and nothing fetched is believed before it is verified.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from server.fetched_answers import LONGEST_KEPT, FetchedAnswers
from server.material_collecting import Finding
from signer.material import ValidationMaterial
from signer.validation.certificates import Certificate, load_certificate
from signer.validation.revocation import RevocationData
from signer.validation.survey import Gap

_MAXIMUM_CRL = 32 * 1024 * 1024
_MAXIMUM_OCSP = 256 * 1024
_MAXIMUM_CERTIFICATE = 64 * 1024
_WEB = re.compile(r"https?://[!-~]{1,1000}\Z")
_MOST_ADDRESSES = 4


@dataclass(frozen=True)
class _Request:
    """What is asked of one address: GET, or POST of an OCSPRequest (DER, RFC 6960 Appendix A)."""

    url: str
    maximum: int
    body: bytes | None = None


class _FetchError(Exception):
    """One address gave nothing; the text says why. It never leaves this module."""


class RevocationFetcher:
    """A RevocationSource over HTTP. To be used as an asynchronous context manager.

    is_public: whether an IP address may be asked on the word of a certificate that nobody vouches for.
    count: told for each request what came of it: `fetched`, `cached` or `failed`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        timeout: timedelta = timedelta(seconds=10),
        is_public: Callable[[str], bool] = lambda address: ipaddress.ip_address(address).is_global,
        count: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        self._clock = clock
        self._count = count
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._is_public = is_public
        self._session: aiohttp.ClientSession | None = None
        self._public_session: aiohttp.ClientSession | None = None
        self._answers: FetchedAnswers[_Request] = FetchedAnswers(clock)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        connector = aiohttp.TCPConnector(resolver=_PublicResolver(self._is_public), use_dns_cache=False)
        self._public_session = aiohttp.ClientSession(timeout=self._timeout, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._answers.close()
        for session in (self._session, self._public_session):
            if session is not None:
                await session.close()

    async def find(self, gap: Gap) -> Finding:
        """Fetch what is missing; addresses are tried in the certificate's order, OCSP before CRL."""
        certificate = load_certificate(gap.certificate)
        issuer = load_certificate(gap.issuer) if gap.issuer else None
        if certificate is None or (gap.issuer and issuer is None):
            return Finding(ValidationMaterial())
        if issuer is None:
            return await self._first(_issuer_requests(certificate), self._read_issuer, public=True)
        read = partial(self._read_status, certificate, issuer)
        answered = await self._first(_ocsp_requests(certificate, issuer), read, public=False)
        if answered.material:
            return answered
        listed = await self._first(_crl_requests(certificate), read, public=False)
        return Finding(listed.material, (*answered.tried, *listed.tried))

    async def _first(
        self,
        requests: Sequence[_Request],
        read: Callable[[_Request, bytes], tuple[ValidationMaterial, datetime | None]],
        *,
        public: bool,
    ) -> Finding:
        """What the first address gives that can be read, and what became of those before it."""
        tried: list[str] = []
        for request in requests[:_MOST_ADDRESSES]:
            kept = self._answers.get(request)
            try:
                data = kept or await self._answers.once(
                    request, partial(self._exchange, request, public=public)
                )
                material, until = await asyncio.to_thread(read, request, data)
            except _FetchError as fault:
                self._count("failed")
                tried.append(f"{request.url}: {fault}")
                continue
            self._count("cached" if kept else "fetched")
            self._answers.keep(request, data, until)
            return Finding(material, (*tried, f"{request.url}: answered"))
        return Finding(ValidationMaterial(), tuple(tried))

    async def _exchange(self, request: _Request, *, public: bool) -> bytes:
        session = self._public_session if public else self._session
        if session is None:
            raise _FetchError("not open")
        if public:
            self._check_literal(request.url)
        method, headers = "GET", {}
        if request.body is not None:
            method, headers = "POST", {"Content-Type": "application/ocsp-request"}
        try:
            async with session.request(
                method, request.url, data=request.body, headers=headers, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise _FetchError(f"HTTP status {response.status}")
                return await _read_limited(response.content, request.maximum)
        except TimeoutError:
            raise _FetchError("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _FetchError(type(error).__name__) from error

    def _check_literal(self, url: str) -> None:
        """Refuse an address given as a number, which no resolver sees."""
        try:
            address = str(ipaddress.ip_address(urlsplit(url).hostname or ""))
        except ValueError:
            return  # a name
        if not self._is_public(address):
            raise _FetchError("not a public address")

    def _read_status(
        self, certificate: Certificate, issuer: Certificate, request: _Request, data: bytes
    ) -> tuple[ValidationMaterial, datetime | None]:
        """A fresh CRL or OCSP response by which the issuer speaks of the certificate, and its nextUpdate."""
        is_list = request.body is None
        material = ValidationMaterial((), (data,), ()) if is_list else ValidationMaterial((), (), (data,))
        said = RevocationData(material.crls, material.ocsp_responses).about(certificate, issuer)
        if not said:
            raise _FetchError("no answer about the certificate that its issuer stands behind")
        if not said[0].is_fresh(self._clock(), None):
            raise _FetchError("the answer is too old")
        return material, said[0].next_update

    def _read_issuer(self, request: _Request, data: bytes) -> tuple[ValidationMaterial, datetime | None]:
        """A certificate, DER or PEM (RFC 5280 §4.2.2.1 allows DER and a CMS; the latter is not read)."""
        try:
            if b"-----BEGIN" in data:
                data = x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
        except ValueError:
            raise _FetchError("no readable certificate") from None
        if load_certificate(data) is None:
            raise _FetchError("no readable certificate")
        return ValidationMaterial(certificates=(data,)), self._clock() + LONGEST_KEPT


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses only; what was checked is what is connected to."""

    def __init__(self, is_public: Callable[[str], bool]) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._is_public = is_public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the public addresses of a host. Raises OSError where it has none."""
        found = await self._inner.resolve(host, port, family)
        public = [item for item in found if self._is_public(item["host"])]
        if not public:
            raise OSError("not a public address")
        return public

    async def close(self) -> None:
        """Nothing is held."""


async def _read_limited(content: aiohttp.StreamReader, maximum: int) -> bytes:
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > maximum:
            raise _FetchError(f"longer than {maximum} bytes")
    return bytes(body)


def _ocsp_requests(certificate: Certificate, issuer: Certificate) -> list[_Request]:
    urls = list(_access_urls(certificate, AuthorityInformationAccessOID.OCSP))
    if not urls:
        return []
    # SHA-1 names the issuer here and protects nothing; every responder understands it (RFC 5019 §2.1.1).
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate.parsed,
        issuer.parsed,
        hashes.SHA1(),  # noqa: S303
    )
    body = builder.build().public_bytes(Encoding.DER)
    return [_Request(url, _MAXIMUM_OCSP, body) for url in urls]


def _issuer_requests(certificate: Certificate) -> list[_Request]:
    urls = _access_urls(certificate, AuthorityInformationAccessOID.CA_ISSUERS)
    return [_Request(url, _MAXIMUM_CERTIFICATE) for url in urls]


def _crl_requests(certificate: Certificate) -> list[_Request]:
    points = certificate.extension(x509.CRLDistributionPoints) or ()
    names = (name for point in points if not point.reasons for name in point.full_name or ())
    return [_Request(url, _MAXIMUM_CRL) for url in _web_urls(names)]


def _access_urls(certificate: Certificate, method: x509.ObjectIdentifier) -> Iterator[str]:
    access = certificate.extension(x509.AuthorityInformationAccess) or ()
    return _web_urls(entry.access_location for entry in access if entry.access_method == method)


def _web_urls(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.UniformResourceIdentifier) and _WEB.match(name.value):
            yield name.value
