"""Permissions: the table names every method of the contract and nothing else, and the rest is refused."""

from itertools import chain

import pytest
from google.protobuf.descriptor import FileDescriptor

from pecete.archive.v1 import archive_pb2
from pecete.documents.v1 import documents_pb2
from pecete.errors import PermissionDeniedError
from pecete.signing.v1 import signature_batches_pb2, signature_sessions_pb2, signing_pb2
from pecete.timestamping.v1 import timestamping_pb2
from pecete.validation.v1 import validation_pb2
from pecete.workflow.v1 import workflow_pb2
from server.authorization import AUTHENTICATED, OPEN, ROLES, Role, authorize, authorize_step

CONTRACT: tuple[FileDescriptor, ...] = (
    documents_pb2.DESCRIPTOR,
    signing_pb2.DESCRIPTOR,
    signature_batches_pb2.DESCRIPTOR,
    signature_sessions_pb2.DESCRIPTOR,
    validation_pb2.DESCRIPTOR,
    timestamping_pb2.DESCRIPTOR,
    archive_pb2.DESCRIPTOR,
    workflow_pb2.DESCRIPTOR,
)
SIGN_STEP = "/pecete.workflow.v1.WorkflowService/SignStep"


def test_the_table_is_the_contract() -> None:
    services = chain.from_iterable(file.services_by_name.values() for file in CONTRACT)
    methods = {f"/{service.full_name}/{method.name}" for service in services for method in service.methods}
    assert set(ROLES) == methods
    assert all(ROLES.values())


def test_every_role_can_do_something_and_none_everything() -> None:
    for role in Role:
        allowed = {method for method, roles in ROLES.items() if role in roles}
        assert allowed
        assert allowed != set(ROLES)


@pytest.mark.parametrize("role", Role)
def test_only_signers_sign_steps(role: Role) -> None:
    if role is Role.SIGNER:
        authorize(SIGN_STEP, [role])
        return
    with pytest.raises(PermissionDeniedError) as refusal:
        authorize(SIGN_STEP, [role])
    assert refusal.value.reason == "ROLE_REQUIRED"
    assert refusal.value.metadata == {"method": SIGN_STEP, "roles": "signer"}


@pytest.mark.parametrize("role", Role)
def test_only_signers_prepare_steps(role: Role) -> None:
    method = "/pecete.signing.v1.SignatureSessionService/PrepareSignature"
    if role is Role.SIGNER:
        authorize_step(method, [role])
        return
    with pytest.raises(PermissionDeniedError) as refusal:
        authorize_step(method, [role])
    assert refusal.value.metadata == {"method": method, "roles": "signer"}


def test_auditors_change_nothing() -> None:
    changing = ("Create", "Upload", "Sign", "Augment", "Archive", "Prepare", "Complete")
    allowed = [method for method, roles in ROLES.items() if Role.AUDITOR in roles]
    assert not [method for method in allowed if method.rpartition("/")[2].startswith(changing)]


def test_one_of_several_roles_is_enough() -> None:
    authorize(SIGN_STEP, [Role.AUDITOR, Role.SIGNER])


@pytest.mark.parametrize("method", ["/pecete.documents.v1.DocumentService/DeleteDocument", "", "/x"])
def test_what_the_table_does_not_name_is_refused(method: str) -> None:
    with pytest.raises(PermissionDeniedError):
        authorize(method, list(Role))


def test_health_and_reflection_need_no_role() -> None:
    for method in OPEN | AUTHENTICATED:
        authorize(method, [])
