"""What the verdict's own English sentences are in Romanian; what is not here stays in English."""

SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "no valid time-stamp or evidence record proves the signature",
        "nicio marcă temporală și nicio înregistrare de probă validă nu dovedește semnătura",
    ),
    (
        "the certificate behind the revocation data is outside its validity period",
        "certificatul celui care a dat informația despre revocare nu este în perioada de valabilitate",
    ),
    (
        "the certificate of (.*) is for other purposes than signing documents",
        "certificatul „{0}” este pentru altceva decât semnarea documentelor",
    ),
    (
        "the certificate of (.*) is not for time-stamping alone",
        "certificatul „{0}” nu este numai pentru mărci temporale",
    ),
    (
        "nothing proves the certificate of (.*) or its status in time",
        "nimic nu dovedește la timp certificatul „{0}” sau starea lui",
    ),
    (
        "the time-stamp is over something else",
        "marca temporală este pentru altceva",
    ),
    (
        "the digest algorithm of the time-stamp is not known",
        "algoritmul mărcii temporale nu este cunoscut",
    ),
    (
        "what the time-stamp is over is missing",
        "lipsește conținutul pentru care s-a pus marca temporală",
    ),
    (
        "a time-stamp around the signature is earlier than one within it",
        "o marcă temporală din jurul semnăturii este mai veche decât una din interiorul ei",
    ),
    (
        "the evidence record does not hold: .*",
        "înregistrarea de probă nu se verifică",
    ),
    (
        "the signature policy (.*) that the signer names is not at hand",
        "politica de semnare {0}, numită de semnatar, lipsește",
    ),
    (
        "a signed attribute is repeated: (.*)",
        "un atribut semnat se repetă: {0}",
    ),
    (
        r"page (\d+) looks different",
        "pagina {0} arată altfel",
    ),
    (
        r"page (\d+): (.*) and (.*) overlap",
        "pagina {0}: {1} și {2} se suprapun",
    ),
    (
        r"page (\d+) is gone or cannot be drawn",
        "pagina {0} lipsește sau nu poate fi afișată",
    ),
    (
        r"page (\d+) was added or could not be drawn before",
        "pagina {0} a fost adăugată sau nu putea fi afișată înainte",
    ),
    (
        r"(.*) (?:added|changed) on page (\d+)(?: in print)? hides what was there",
        "{0} pe pagina {1} acoperă ce era acolo",
    ),
    (
        r"(.*) (?:added|changed) on page (\d+) overlaps (.*)",
        "{0} pe pagina {1} se suprapune cu {2}",
    ),
    (
        r"object (\d+) at (\d+) is not in the cross-reference section",
        "obiectul {0} (la poziția {1}) nu este în tabelul de referințe",
    ),
    (
        r"object (\d+) stands outside its revision",
        "obiectul {0} se află în afara versiunii sale",
    ),
    (
        "bytes after the last revision",
        "octeți după ultima versiune",
    ),
    (
        r"unexplained bytes at (\d+) .*",
        "octeți neexplicați la poziția {0}",
    ),
    (
        r"object (\d+) got another generation",
        "obiectul {0} a primit altă generație",
    ),
    (
        "a dictionary has a key twice",
        "un dicționar are o cheie de două ori",
    ),
    (
        "hybrid cross-reference: older readers see another document",
        "referințe hibride: cititoarele vechi văd alt document",
    ),
    (
        "field (.*) shows other words than its value",
        "câmpul {0} arată alte cuvinte decât valoarea sa",
    ),
    (
        "list of fields: the name (.*) is taken or missing",
        "lista câmpurilor: numele {0} este folosit deja sau lipsește",
    ),
    (
        "new signature field (.*) with an older (?:part|value), or with an action",
        "câmp nou de semnătură {0}, cu o parte mai veche ori cu o acțiune",
    ),
    (
        "the document was changed after the signature in a way that it does not permit: (.*)",
        "modificarea nepermisă: {0}",
    ),
    (
        "the byte range is not the whole file around the signature's /Contents",
        "semnătura nu acoperă întregul fișier din jurul său",
    ),
    (
        "the signature does not cover one whole revision of the document",
        "semnătura nu acoperă o versiune întreagă a documentului",
    ),
    (
        "the signature is of an unknown kind, /SubFilter (.*)",
        "semnătura este de un fel necunoscut (/SubFilter {0})",
    ),
    (
        "the signature cannot be decoded.*",
        "semnătura nu poate fi citită",
    ),
    (
        "bytes after the signature within its /Contents",
        "după semnătură urmează octeți străini",
    ),
    (
        "what was signed has changed: its digest differs",
        "conținutul semnat s-a schimbat: amprenta diferă",
    ),
    (
        "the signature value does not verify",
        "valoarea semnăturii nu se verifică",
    ),
    (
        "the signature algorithm is not known",
        "algoritmul semnăturii nu este cunoscut",
    ),
    (
        "what was signed is missing",
        "conținutul semnat lipsește",
    ),
    (
        "the signing certificate is missing, or is not the one that the signature names",
        "certificatul semnatarului lipsește sau nu este cel numit de semnătură",
    ),
    (
        "no path leads from the certificate to a trust anchor",
        "certificatul nu duce la o autoritate de încredere",
    ),
    (
        "the certificate of (.*) was revoked at (.*)",
        "certificatul „{0}” a fost revocat la {1}",
    ),
    (
        "the certificate of (.*) is on hold",
        "certificatul „{0}” este suspendat",
    ),
    (
        "the certificate of (.*) is outside its validity period",
        "certificatul „{0}” nu este în perioada de valabilitate",
    ),
    (
        "nothing tells whether the certificate of (.*) was revoked",
        "nu se știe dacă certificatul „{0}” a fost revocat",
    ),
    (
        "the revocation data on the certificate of (.*) are too old",
        "informația despre revocarea certificatului „{0}” este prea veche",
    ),
    (
        "the key of (.*) is not for signing",
        "cheia „{0}” nu este pentru semnare",
    ),
    (
        "the (.*) rests on (.*), which is not believed",
        "se folosește {1}, în care nu se mai poate avea încredere",
    ),
    (
        "the signature does not name its signing certificate among what is signed",
        "semnătura nu numește certificatul semnatarului în ceea ce este semnat",
    ),
    (
        "the signature is proven to be older than its certificate",
        "semnătura este dovedită mai veche decât certificatul",
    ),
    (
        "the signature is proven only long after the time that the signer states",
        "semnătura este dovedită abia mult după momentul declarat de semnatar",
    ),
    (
        "the signer states a signing time outside the validity of the certificate",
        "semnatarul declară un moment la care certificatul nu era valabil",
    ),
    (
        "it cannot be told what was changed after the signature",
        "nu se poate stabili ce s-a modificat după semnare",
    ),
    (
        r"page \(object (\d+)\) (/\S+) changed",
        "pagina (obiectul {0}): {1} s-a schimbat",
    ),
    (
        "the locked field (.*) was changed",
        "câmpul blocat {0} a fost schimbat",
    ),
    (
        "field (.*) looks different with the same value",
        "câmpul {0} arată altfel, deși are aceeași valoare",
    ),
    (
        r"field (.*?):? (/\S+) changed",
        "câmpul {0}: {1} s-a schimbat",
    ),
    (
        "signature in field (.*)",
        "semnătură în câmpul {0}",
    ),
    (
        "signature field (.*) added",
        "s-a adăugat câmpul de semnătură {0}",
    ),
    (
        "document time-stamp in field (.*)",
        "marcă temporală a documentului în câmpul {0}",
    ),
    (
        "odd signature in field (.*)",
        "semnătură neobișnuită în câmpul {0}",
    ),
    (
        "new field (.*) that is no signature field",
        "câmp nou {0}, care nu este de semnătură",
    ),
    (
        "validation data changed",
        "s-au schimbat datele de validare",
    ),
    (
        "validation data removed",
        "s-au șters date de validare",
    ),
    (
        "document certified",
        "documentul a fost certificat",
    ),
    (
        "metadata changed",
        "s-au schimbat metadatele",
    ),
    (
        "document information changed",
        "s-au schimbat informațiile despre document",
    ),
    (
        r"object (\d+) was freed",
        "obiectul {0} a fost eliminat",
    ),
    (
        "a detached signature with content of its own",
        "o semnătură detașată cu conținut propriu",
    ),
    (
        "the signed content is not stated to be plain data",
        "conținutul semnat nu este declarat ca date simple",
    ),
    (
        r"(\d+) signers in one signature instead of one",
        "{0} semnatari într-o semnătură, în loc de unul",
    ),
    (
        "the appearance of field (.*) was used elsewhere too",
        "înfățișarea câmpului {0} este folosită și în altă parte",
    ),
    (
        r"wrong stream length of object (\d+)",
        "obiectul {0} are o lungime greșită",
    ),
    (
        r"object (\d+) is not where the cross-reference section says",
        "obiectul {0} nu se află unde spune tabelul de referințe",
    ),
    (
        "objects that cannot be read: (.*)",
        "obiecte care nu pot fi citite: {0}",
    ),
    (
        "file identifier removed",
        "s-a eliminat identificatorul fișierului",
    ),
    (
        "the document is encrypted: later revisions are not compared",
        "documentul este criptat: versiunile ulterioare nu se compară",
    ),
    (
        "a visible signature field was added, which the signature does not permit",
        "s-a adăugat un câmp de semnătură vizibil, pe care semnătura nu îl permite",
    ),
    (
        "PDF version raised to (.*)",
        "versiunea PDF a fost ridicată la {0}",
    ),
    (
        "developer extensions changed",
        "s-au schimbat extensiile declarate",
    ),
    (
        r"validation data (/\S+) (?:added|changed)",
        "date de validare: {0}",
    ),
    (
        "validation data typed",
        "date de validare: tipul a fost precizat",
    ),
    (
        "(.*): signature placed",
        "{0}: s-a așezat o semnătură",
    ),
    (
        "(.*) changed",
        "{0}: s-a schimbat",
    ),
    (
        "(.*) added",
        "{0}: s-a adăugat",
    ),
    (
        "(.*) removed",
        "{0}: s-a eliminat",
    ),
    (
        "page annotations",
        "adnotările paginii",
    ),
    (
        "page annotations: (.*)",
        "adnotările paginii: {0}",
    ),
    (
        "page list",
        "lista paginilor",
    ),
    (
        r"annotation (\S+)",
        "adnotarea {0}",
    ),
    (
        r"content \(object (\d+)\)",
        "conținutul (obiectul {0})",
    ),
    (
        "catalog (.*)",
        "catalogul documentului ({0})",
    ),
    (
        "form resources (.*)",
        "resursele formularului ({0})",
    ),
    (
        r"form (/\S+)",
        "formularul ({0})",
    ),
    (
        "structure tree(.*)",
        "arborele de structură{0}",
    ),
    (
        r"annotation list \(object (\d+)\)",
        "lista de adnotări (obiectul {0})",
    ),
    (
        "annotation list (.*): (.*)",
        "lista de adnotări {0}: {1}",
    ),
    (
        "signature field (.*)",
        "câmpul de semnătură {0}",
    ),
    (
        "field (.*)",
        "câmpul {0}",
    ),
)
"""Patterns, tried in turn, and what they are; parts are put in the same way."""
