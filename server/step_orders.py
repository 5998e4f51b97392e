"""How a dossier's step is signed: what the caller wants, within what the procedure says."""

from dataclasses import replace

from server.signing import SigningOrder, Visible
from workflow.step_signing import StepAuthorisation


def step_order(order: SigningOrder, leave: StepAuthorisation) -> SigningOrder:
    """Give the order as the procedure has it: field, certification, lock, later fields, capacity."""
    return replace(
        order,
        field_name=leave.name,
        certification=leave.certification,
        certify_first_only=True,
        lock=leave.lock,
        planned_fields=leave.planned_fields,
        visible=replace(order.visible or Visible(), capacity=leave.capacity),
    )
