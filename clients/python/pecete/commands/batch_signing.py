"""`pecete sign` of many targets with a key that the service holds: one authorisation, one PIN."""

from collections.abc import Sequence
from pathlib import Path

from pecete.batch_calls import STEPS, BatchTarget
from pecete.client import Client
from pecete.commands.arguments import document_or_file
from pecete.commands.batch_output import SignedTarget, counting_bar
from pecete.signature_statements import SignatureStatements


def sign_many(
    client: Client,
    targets: Sequence[str],
    signing_key: str,
    stated: SignatureStatements,
    pin: str,
    request_id: str,
) -> list[SignedTarget]:
    """Sign files, `documents/{id}` and `dossiers/{id}/steps/{number}`; files are sent first.

    Under the same request id the same files are the same documents, so that a batch goes on after a break.
    Raises what keeps the whole list from being signed.
    """
    with counting_bar("Sending") as progress:
        listed = []
        for number, target in enumerate(targets):
            listed.append(_listed(client, target, f"{request_id}/{number}/upload"))
            progress(number + 1, len(targets))
    results = {index: SignedTarget(target) for index, target in enumerate(targets)}
    batch = client.sign_batch(listed, signing_key, **stated, pin=pin, request_id=request_id)
    with counting_bar("Signing") as progress:
        for each in batch:
            target = targets[each.index]
            results[each.index] = SignedTarget(target, error=each.error)
            if each.signed is not None:
                signed = each.signed
                results[each.index] = SignedTarget(target, signed.document.name, signed.signature)
            progress(each.done, each.total)
    return list(results.values())


def _listed(client: Client, target: str, request_id: str) -> BatchTarget:
    if target.startswith(STEPS):
        document = client.get_document(client.get_dossier(target.partition("/steps/")[0]).document)
        return BatchTarget(target, document.sha256)
    source = document_or_file(target)
    if isinstance(source, Path):
        document = client.upload(source, request_id=request_id)
    else:
        document = client.get_document(source)
    return BatchTarget(document.name, document.sha256)
