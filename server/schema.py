"""Every table of the service: each floor's own, brought together for the migrations."""

from archive.tables import METADATA as ARCHIVE
from server.documents import METADATA as DOCUMENTS
from server.idempotency import METADATA as IDEMPOTENCY
from server.signature_sessions import METADATA as SIGNATURE_SESSIONS
from server.tables import METADATA as IDENTITY
from timestamping.tables import METADATA as TIMESTAMPING
from workflow.tables import METADATA as WORKFLOW

METADATA = (IDENTITY, DOCUMENTS, IDEMPOTENCY, SIGNATURE_SESSIONS, TIMESTAMPING, ARCHIVE, WORKFLOW)
