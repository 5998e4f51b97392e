"""The signature policy that the signer of a XAdES signature names (EN 319 132-1 §5.2.9)."""

from signer.validation.facts import SignaturePolicy
from signer.validation.xades.algorithms import DIGESTS, DSIG, base64_octets
from signer.validation.xades.document import XmlElement, XmlError, text_of
from signer.validation.xades.properties import XADES

_URN = "urn:oid:"
_UNREADABLE = SignaturePolicy("")


def signature_policy(signed_properties: XmlElement) -> SignaturePolicy | None:
    """What the signer says; None where no policy is named or it is said to be implied.

    An object identifier is given dotted, any other identifier as it stands. A policy whose hash is over
    something that transforms make of it has no digest here, so that no document is taken for it.
    """
    named = list(signed_properties.iter(f"{{{XADES}}}SignaturePolicyIdentifier"))
    if not named:
        return None
    children = [child for each in named for child in each.iterchildren()]
    if len(children) != 1:
        return _UNREADABLE
    if children[0].tag == f"{{{XADES}}}SignaturePolicyImplied":
        return None
    try:
        return _explicit(children[0])
    except XmlError:
        return _UNREADABLE


def _explicit(stated: XmlElement) -> SignaturePolicy:
    identifier = stated.find(f"{{{XADES}}}SigPolicyId/{{{XADES}}}Identifier")
    method = stated.find(f"{{{XADES}}}SigPolicyHash/{{{DSIG}}}DigestMethod")
    value = stated.find(f"{{{XADES}}}SigPolicyHash/{{{DSIG}}}DigestValue")
    if identifier is None or method is None or value is None:
        return _UNREADABLE
    is_transformed = stated.find(f"{{{DSIG}}}Transforms") is not None
    digest = "" if is_transformed else DIGESTS.get(method.get("Algorithm") or "", "")
    name = text_of(identifier).strip()
    dotted = name[len(_URN) :] if name.lower().startswith(_URN) else name
    return SignaturePolicy(dotted, digest, base64_octets(text_of(value)))
