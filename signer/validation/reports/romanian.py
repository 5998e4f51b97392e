"""The readable report in Romanian."""

from signer.validation.reports.texts import Texts

SENTENCES = (
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
        r"field (.*) (/\S+) changed",
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
        "(.*) changed",
        "{0}: s-a schimbat",
    ),
    (
        "(.*) removed",
        "{0}: s-a eliminat",
    ),
)

ROMANIAN = Texts(
    title="Raport de validare a semnăturilor electronice",
    judged_at="Verificat la data de",
    unreadable="Documentul nu a putut fi verificat.",
    unsigned="Documentul nu este semnat electronic.",
    failed_one="Semnătura din acest document NU este validă.",
    failed="Documentul NU este de încredere. Semnături nevalide: {failed} din {count}.",
    passed_one="Semnătura din acest document este validă.",
    passed="Toate semnăturile din acest document sunt valide: {count} din {count}.",
    open_one="Nu se poate stabili dacă semnătura din acest document este validă.",
    open="Semnături a căror valabilitate nu se poate stabili: {open} din {count}.",
    why="De ce",
    what_to_do="Ce este de făcut",
    advice={
        "good": "Nu mai este nimic de verificat la semnături. Păstrați acest raport împreună cu documentul.",
        "open": "Nu vă bazați pe document înainte de a lămuri motivul de mai sus.",
        "bad": "Nu vă bazați pe document; cereți celui care l-a trimis un exemplar corect.",
    },
    more="și încă {count}",
    signature="Semnătura {index}",
    signatures="Semnături",
    file="Fișier",
    trusted="Semnătura este intactă, certificatul este de încredere, iar documentul corespunde celui semnat.",
    changed="Documentul a fost modificat după semnare într-un mod pe care semnătura nu îl permite.",
    label_integrity="Integritate",
    label_modification="Modificări",
    label_identity="Identitate",
    label_qualification="Calificare",
    label_time="Timp",
    integrity={
        "intact": "Intactă: conținutul semnat nu s-a schimbat.",
        "broken": "Încălcată: conținutul semnat s-a schimbat ori semnătura nu i se potrivește.",
        "unverifiable": "Nu poate fi verificată.",
    },
    modification={
        "none": "Niciuna: după semnare nu s-a adăugat nimic documentului.",
        "allowed": "Permise: numai ce îngăduie semnătura, de exemplu alte semnături.",
        "forbidden": "Nepermise: documentul a fost modificat într-un mod pe care semnătura nu îl permite.",
        "unknown": "Necunoscute: nu se poate stabili ce s-a modificat după semnare.",
    },
    identity={
        "verified": "Verificată: {signer}, printr-un certificat care duce la o autoritate de încredere.",
        "unverified": "Neverificată: certificatul numește pe {signer}, dar nu ne putem baza pe el.",
        "unexamined": "Neexaminată, fiindcă semnătura cade înainte de a se ajunge la ea.",
    },
    qualification={
        "": "Neexaminată: nu s-a consultat nicio listă de încredere.",
        "N/A": "Nu se poate stabili din listele de încredere.",
        "QESig": "Semnătură electronică calificată (QESig), cu efectul juridic al semnăturii olografe "
        "(Regulamentul 910/2014, art. 25).",
        "QESeal": "Sigiliu electronic calificat (QESeal) (Regulamentul 910/2014, art. 35).",
        "AdESig-QC": "Semnătură electronică avansată cu certificat calificat (AdESig-QC).",
        "AdESeal-QC": "Sigiliu electronic avansat cu certificat calificat (AdESeal-QC).",
        "AdESig": "Semnătură electronică avansată (AdESig), fără certificat calificat.",
        "AdESeal": "Sigiliu electronic avansat (AdESeal), fără certificat calificat.",
    },
    time_proven="Dovedit: semnătura exista la {time}.",
    time_proven_by="Dovedit: semnătura exista la {time}, potrivit mărcii temporale de la {authority}.",
    time_claimed="Nedovedit: {time} este doar ce declară semnatarul.",
    time_unknown="Nedovedit și nedeclarat.",
    indication={"TOTAL_PASSED": "Validă", "INDETERMINATE": "Nedeterminată", "TOTAL_FAILED": "Nevalidă"},
    reasons={
        "FORMAT_FAILURE": "Documentul sau semnătura nu are forma cerută.",
        "HASH_FAILURE": "Conținutul a fost schimbat după semnare.",
        "SIG_CRYPTO_FAILURE": "Valoarea semnăturii nu se verifică cu cheia semnatarului.",
        "REVOKED": "Certificatul fusese revocat înainte de semnare.",
        "EXPIRED": "Certificatul expirase înainte de semnare.",
        "NOT_YET_VALID": "Semnătura este mai veche decât certificatul semnatarului.",
        "SIG_CONSTRAINTS_FAILURE": "Semnătura nu îndeplinește cerințele politicii de validare.",
        "CHAIN_CONSTRAINTS_FAILURE": "Certificatul nu este destinat acestui fel de semnătură.",
        "CERTIFICATE_CHAIN_GENERAL_FAILURE": "Lanțul de certificate nu a putut fi verificat în întregime; "
        "de exemplu, nu se știe dacă un certificat a fost revocat.",
        "CRYPTO_CONSTRAINTS_FAILURE": "Semnătura folosește un algoritm în care nu se poate avea încredere.",
        "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": "Semnătura se sprijină pe un algoritm care nu mai este sigur.",
        "POLICY_PROCESSING_ERROR": "Politica sub care s-a semnat nu poate fi prelucrată.",
        "SIGNATURE_POLICY_NOT_AVAILABLE": "Politica sub care s-a semnat lipsește.",
        "TIMESTAMP_ORDER_FAILURE": "Mărcile temporale se contrazic între ele.",
        "NO_SIGNING_CERTIFICATE_FOUND": "Certificatul semnatarului lipsește sau nu este cel indicat în "
        "semnătură.",
        "NO_CERTIFICATE_CHAIN_FOUND": "Certificatul semnatarului nu vine de la o autoritate de încredere.",
        "NO_CERTIFICATE_CHAIN_FOUND_NO_POE": "Autoritatea care a emis certificatul nu mai este de încredere.",
        "REVOKED_NO_POE": "Certificatul semnatarului a fost revocat și nu se poate dovedi că semnătura "
        "este anterioară.",
        "REVOKED_CA_NO_POE": "Certificatul unei autorități a fost revocat și nu se poate dovedi că "
        "semnătura este anterioară.",
        "OUT_OF_BOUNDS_NOT_REVOKED": "Certificatul semnatarului a expirat și nu se poate dovedi că "
        "semnătura este anterioară.",
        "OUT_OF_BOUNDS_NO_POE": "Un certificat nu este în perioada sa de valabilitate.",
        "REVOCATION_OUT_OF_BOUNDS_NO_POE": "Cel care a dat informația despre revocare are un certificat "
        "expirat.",
        "NO_POE": "Lipsește dovada că semnătura exista cât timp toate temeiurile ei erau sigure.",
        "TRY_LATER": "Informația despre revocare este prea veche ori certificatul este suspendat; "
        "reveniți mai târziu.",
        "SIGNED_DATA_NOT_FOUND": "Fișierul semnat lipsește.",
        "CUSTOM": "Nu se poate stabili ce s-a modificat după semnare.",
    },
    findings="De știut",
    changes="Ce s-a constatat în document",
    pictures="Pagini care arată altfel decât la semnare",
    picture="Pagina {page}: cum a fost semnată (stânga) și cum este acum (dreapta)",
    details="Detalii",
    level="Format și nivel",
    field="Câmpul din document",
    claimed_time="Momentul declarat de semnatar",
    proven_time="Momentul dovedit",
    path="Lanțul de certificare",
    serial_number="Numărul de serie al certificatului",
    issuer="Emitentul certificatului",
    validity="Certificat valabil",
    validity_span="de la {start} până la {end}",
    code="Rezultat conform EN 319 102-1",
    trace="Verificări",
    timestamp={
        "content": "Marcă temporală a conținutului",
        "signature": "Marcă temporală a semnăturii",
        "document": "Marcă temporală a documentului",
        "archive": "Marcă temporală de arhivă",
        "evidence_record": "Marcă temporală a unei înregistrări de probă",
    },
    document_timestamps="Mărci temporale ale documentului",
    evidence_records="Înregistrări de probă (evidence records)",
    none="–",
    unknown_signer="Semnatar necunoscut",
    document="Documentul verificat",
    error="Motivul",
    standard="Verificare conform ETSI EN 319 102-1, cu politica serviciului care a emis acest raport.",
    page="Pagina {page} din {count}",
    moment="{date}, ora {time} (UTC{offset})",
    sentences=SENTENCES,
)
