"""The words of the readable report."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Texts:
    """All sentences of one language."""

    title: str
    judged_at: str
    unreadable: str
    unsigned: str
    failed_one: str
    failed: str
    passed_one: str
    passed: str
    open_one: str
    open: str
    trusted: str
    signed_bytes: str
    afterwards: str
    claimed_time: str
    proven_time: str
    level: str
    field: str
    path: str
    code: str
    none: str
    unknown_signer: str
    changes: str
    document: str
    standard: str
    integrity: Mapping[str, str]
    modification: Mapping[str, str]
    indication: Mapping[str, str]
    timestamp: Mapping[str, str]
    reasons: Mapping[str, str]


_ROMANIAN = Texts(
    title="Raport de validare a semnăturilor electronice",
    judged_at="verificat la",
    unreadable="Documentul nu a putut fi verificat.",
    unsigned="Documentul nu este semnat electronic.",
    failed_one="Semnătura din acest document NU este validă.",
    failed="Documentul NU este de încredere. Semnături nevalide: {failed} din {count}.",
    passed_one="Semnătura din acest document este validă.",
    passed="Toate semnăturile din acest document sunt valide: {count} din {count}.",
    open_one="Nu se poate stabili dacă semnătura din acest document este validă.",
    open="Semnături a căror valabilitate nu se poate stabili: {open} din {count}.",
    trusted="Semnătura este intactă, certificatul este de încredere, iar documentul corespunde celui semnat.",
    signed_bytes="Conținutul semnat",
    afterwards="După semnare",
    claimed_time="Momentul declarat de semnatar",
    proven_time="Momentul dovedit",
    level="Nivelul semnăturii",
    field="Câmpul din document",
    path="Lanțul de certificare",
    code="Rezultat (EN 319 102-1)",
    none="–",
    unknown_signer="Semnatar necunoscut",
    changes="Ce s-a constatat în document",
    document="Documentul verificat",
    standard="Verificare conform ETSI EN 319 102-1, cu politica serviciului care a emis acest raport.",
    integrity={
        "intact": "intact",
        "broken": "modificat: nu mai corespunde semnăturii",
        "unverifiable": "nu poate fi verificat",
    },
    modification={
        "none": "documentul nu a mai fost modificat",
        "allowed": "numai modificări pe care semnătura le permite (de exemplu alte semnături)",
        "forbidden": "documentul a fost modificat într-un mod nepermis",
        "unknown": "nu se poate stabili ce s-a modificat",
    },
    indication={"TOTAL_PASSED": "Validă", "INDETERMINATE": "Nedeterminată", "TOTAL_FAILED": "Nevalidă"},
    timestamp={
        "signature": "Marcă temporală a semnăturii",
        "document": "Marcă temporală a documentului",
        "archive": "Marcă temporală de arhivă",
    },
    reasons={
        "FORMAT_FAILURE": "Documentul sau semnătura nu are forma cerută ori a fost modificat nepermis "
        "după semnare.",
        "HASH_FAILURE": "Conținutul a fost schimbat după semnare.",
        "SIG_CRYPTO_FAILURE": "Valoarea semnăturii nu se verifică cu cheia semnatarului.",
        "NOT_YET_VALID": "Semnătura este mai veche decât certificatul semnatarului.",
        "SIG_CONSTRAINTS_FAILURE": "Semnătura nu îndeplinește cerințele politicii de validare.",
        "CHAIN_CONSTRAINTS_FAILURE": "Certificatul nu este destinat acestui fel de semnătură.",
        "CERTIFICATE_CHAIN_GENERAL_FAILURE": "Lanțul de certificate nu a putut fi verificat în întregime; "
        "de exemplu, nu se știe dacă un certificat a fost revocat.",
        "CRYPTO_CONSTRAINTS_FAILURE": "Semnătura folosește un algoritm în care nu se poate avea încredere.",
        "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": "Semnătura se sprijină pe un algoritm care nu mai este sigur.",
        "TIMESTAMP_ORDER_FAILURE": "Mărcile temporale se contrazic între ele.",
        "NO_SIGNING_CERTIFICATE_FOUND": "Certificatul semnatarului lipsește sau nu este cel indicat în "
        "semnătură.",
        "NO_CERTIFICATE_CHAIN_FOUND": "Certificatul semnatarului nu provine de la o autoritate de încredere.",
        "REVOKED_NO_POE": "Certificatul semnatarului a fost revocat și nu se poate dovedi că semnătura "
        "este anterioară.",
        "REVOKED_CA_NO_POE": "Certificatul unei autorități a fost revocat și nu se poate dovedi că "
        "semnătura este anterioară.",
        "OUT_OF_BOUNDS_NOT_REVOKED": "Certificatul semnatarului a expirat și nu se poate dovedi că "
        "semnătura este anterioară.",
        "OUT_OF_BOUNDS_NO_POE": "Un certificat nu este în perioada sa de valabilitate.",
        "REVOCATION_OUT_OF_BOUNDS_NO_POE": "Cel care a dat informația despre revocare are un certificat "
        "expirat.",
        "TRY_LATER": "Informația despre revocare este prea veche ori certificatul este suspendat; "
        "reveniți mai târziu.",
        "SIGNED_DATA_NOT_FOUND": "Fișierul semnat lipsește.",
        "CUSTOM": "Nu se poate stabili ce s-a modificat după semnare.",
    },
)
_ENGLISH = Texts(
    title="Validation report of electronic signatures",
    judged_at="judged as of",
    unreadable="The document could not be judged.",
    unsigned="The document is not signed.",
    failed_one="The signature in this document is NOT valid.",
    failed="The document is NOT to be trusted: {failed} of {count} signatures are not valid.",
    passed_one="The signature in this document is valid.",
    passed="All {count} signatures in this document are valid.",
    open_one="Whether the signature in this document is valid cannot be told.",
    open="Of {count} signatures, {open} cannot be told to be valid.",
    trusted="The signature is intact, its certificate trusted, and the document the one that was signed.",
    signed_bytes="What was signed",
    afterwards="After signing",
    claimed_time="Time stated by the signer",
    proven_time="Proven time",
    level="Level",
    field="Field of the document",
    path="Certification path",
    code="Result (EN 319 102-1)",
    none="–",
    unknown_signer="Unknown signer",
    changes="What was found in the document",
    document="The document",
    standard="Judged after ETSI EN 319 102-1 under the policy of the service that made this report.",
    integrity={
        "intact": "intact",
        "broken": "changed: it no longer fits the signature",
        "unverifiable": "cannot be verified",
    },
    modification={
        "none": "the document was not changed",
        "allowed": "only changes that the signature permits, such as further signatures",
        "forbidden": "the document was changed in a way that is not permitted",
        "unknown": "what changed cannot be told",
    },
    indication={"TOTAL_PASSED": "Valid", "INDETERMINATE": "Indeterminate", "TOTAL_FAILED": "Not valid"},
    timestamp={
        "signature": "Time-stamp of the signature",
        "document": "Time-stamp of the document",
        "archive": "Archive time-stamp",
    },
    reasons={},
)
TEXTS: Mapping[str, Texts] = {"ro": _ROMANIAN, "en": _ENGLISH}
"""Texts by language; in English a reason is told by the verdict's own explanation."""
