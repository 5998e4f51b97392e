"""`pecete-server demo`: the main job from end to end, told step by step.

A mayor and a secretary general sign a document with keys in their own PKCS#11 tokens; each signature is
time-stamped by this house's authority, the result is judged, archived, and its record checked offline.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pecete.archive.v1.archive_pb2 import DescriptiveRecord, Record, RecordProof
from pecete.client import Client
from pecete.errors import FailedPreconditionError, InvalidArgumentError, PeceteError, UnavailableError
from pecete.evidence.record_proof import parse_record_proof
from pecete.validation.v1 import validation_pb2
from pecete.workflow.v1.workflow_pb2 import Dossier, Person, Procedure, ProcedureStep
from server import demo_output
from server.times import utc_now
from server.trial import DEPARTMENT, TrialServer, make_trial, running_server

SAMPLE = Path(__file__).resolve().parent.parent / "tests" / "samples" / "dispozitia-primarului.pdf"
REGISTER_NUMBER = "87/16.11.2026"
VERIFICATION_URI = "https://luncateilor.example/verifica/87-2026"
PROOF_SECONDS = 30.0

MAYOR, SECRETARY = "primar", "secretar-general"
CAPACITIES = {MAYOR: "Primar", SECRETARY: "Secretar general"}


@dataclass(frozen=True)
class Teller:
    """Tells what happens as a person would follow it."""

    console: Console

    @contextmanager
    def step(self, text: str) -> Iterator[list[str]]:
        """Do something; when it is done say what, how long it took, and what the block has noted."""
        notes: list[str] = []
        start = time.perf_counter()
        yield notes
        took = f"{1000 * (time.perf_counter() - start):.0f} ms"
        self.console.print(f"[green]✓[/green] {text}  [dim]{took}[/dim]", highlight=False)
        for note in notes:
            self.console.print(f"    {note}", highlight=False, soft_wrap=True)


def run(document: Path | None, folder: Path) -> None:
    """Run the demo with a PDF (None: the sample) and leave its output in a folder.

    Raises InvalidArgumentError DEMO_DOCUMENT_UNREADABLE, and what the service says of the document.
    """
    source = document or SAMPLE
    if not source.is_file():
        raise InvalidArgumentError("DEMO_DOCUMENT_UNREADABLE", f"{source} is no file.", field="document")
    folder.mkdir(parents=True, exist_ok=True)
    teller = Teller(Console())
    teller.console.print(f"\n[bold]Pecete[/bold] · {source.name} goes through a city hall\n", highlight=False)
    with tempfile.TemporaryDirectory(prefix="pecete-demo-") as temporary:
        with teller.step("A city hall is set up: tokens, certificates, journal key, database") as notes:
            trial = make_trial(Path(temporary))
            for token in trial.provisioned.tokens:
                notes.append(f"token „{token.label}” · {token.plan.holder.common_name}")
        with ExitStack() as stack:
            with teller.step("The server starts") as notes:
                server = stack.enter_context(running_server(trial, folder / "server.log"))
                notes.append(f"gRPC with TLS on {server.addresses['grpc']}")
                notes.append(f"RFC 3161 over HTTP on {server.addresses['timestamps']}")
            Demo(teller, server, folder).run(source)
    teller.console.print(f"\n{demo_output.instructions(folder, source)}", highlight=False, soft_wrap=True)


class Demo:
    """The story, with the server running."""

    def __init__(self, teller: Teller, server: TrialServer, folder: Path) -> None:
        self.teller = teller
        self.server = server
        self.trial = server.trial
        self.folder = folder

    def run(self, source: Path) -> None:
        """Tell it all."""
        self._enrol()
        with self.server.client(DEPARTMENT) as department:
            dossier = self._open_dossier(department, source)
            self._refuse_out_of_turn(dossier)
            for number, post in enumerate(CAPACITIES, 1):
                dossier = self._sign(dossier, number, post)
            signed = self._download(department, dossier, source)
            self._judge(department, dossier, signed)
            record = self._archive(department, dossier)
            proof = self._prove(department, record)
        self._check_offline(signed, proof)

    def _enrol(self) -> None:
        enrolling = self.teller.step("Two officials are enrolled, and the procedure of a disposition")
        with enrolling as notes, self.server.client() as administrator:
            for post, capacity in CAPACITIES.items():
                holder = self.trial.provisioned.token(post).plan.holder
                person = Person(
                    display_name=holder.common_name,
                    principal=f"principals/{post}",
                    certificate_sha256=[self.trial.certificate_sha256(post)],
                )
                administrator.create_person(person, person_id=post)
                notes.append(f"{capacity}: {holder.common_name}")
            steps = [ProcedureStep(post=post, capacity=capacity) for post, capacity in CAPACITIES.items()]
            procedure = Procedure(display_name="Dispoziția primarului", steps=steps)
            administrator.create_procedure(procedure, procedure_id="dispozitie")

    def _open_dossier(self, department: Client, source: Path) -> Dossier:
        with self.teller.step("The registry uploads the document and opens a dossier") as notes:
            document = department.upload(source)
            dossier = department.create_dossier(
                document.name,
                "procedures/dispozitie",
                {post: f"persons/{post}" for post in CAPACITIES},
                display_name=f"Dispoziția nr. {REGISTER_NUMBER}",
            )
            sha256 = document.sha256.hex()
            notes.append(f"{document.display_name}: {document.size_bytes} bytes, SHA-256 {sha256[:16]}…")
        return dossier

    def _refuse_out_of_turn(self, dossier: Dossier) -> None:
        """The chain is no courtesy: whoever is not due is refused before the token is touched."""
        try:
            self._sign_step(dossier, 2, SECRETARY)
        except FailedPreconditionError as error:
            who = CAPACITIES[SECRETARY]
            self.teller.console.print(
                f"[yellow]✗[/yellow] {who} tries to sign first and is refused: {error.reason}",
                highlight=False,
            )
            return
        raise UnavailableError("DEMO_FAILED", "A step out of turn was signed.")

    def _sign(self, dossier: Dossier, number: int, post: str) -> Dossier:
        token = self.trial.provisioned.token(post)
        name = token.plan.holder.common_name
        with self.teller.step(f"{CAPACITIES[post]} {name} signs") as notes:
            signed = self._sign_step(dossier, number, post)
            made = signed.steps[number - 1].signature
            notes.append(f"key {token.plan.kind} in token „{post}”, field {made.field_name}, PAdES B-T")
            path = demo_output.write_token(self.folder, number, post, made.timestamp_token)
            notes.append(f"time-stamp token: {path.name}")
        return signed

    def _sign_step(self, dossier: Dossier, number: int, post: str) -> Dossier:
        with self.server.client(post) as signer:
            return signer.sign_step(
                f"{dossier.name}/steps/{number}",
                self.trial.signing_key(post),
                pin=self.trial.pin(post),
                register_number=REGISTER_NUMBER,
                verification_uri=VERIFICATION_URI,
            )

    def _download(self, department: Client, dossier: Dossier, source: Path) -> Path:
        target = demo_output.signed_path(self.folder, source)
        with self.teller.step("The signed document is fetched") as notes:
            department.download(dossier.document, target)
            grown = target.read_bytes().startswith(source.read_bytes())
            if not grown:
                raise UnavailableError("DEMO_FAILED", "The signed document does not begin with the original.")
            demo_output.write_signatures(self.folder, target)
            notes.append(f"{target}: begins with every byte of the original")
        return target

    def _judge(self, department: Client, dossier: Dossier, signed: Path) -> None:
        with self.teller.step("Both signatures are judged (EN 319 102-1)") as notes:
            report = department.validate(dossier.document)
            for verdict in report.signatures:
                word = validation_pb2.Indication.Name(verdict.indication).removeprefix("INDICATION_")
                notes.append(f"{verdict.field}: {verdict.signer} · {word} · {verdict.level}")
            passed = [v.indication == validation_pb2.INDICATION_TOTAL_PASSED for v in report.signatures]
            if passed != [True, True]:
                raise UnavailableError("DEMO_FAILED", "The signatures were not judged as valid.")
            demo_output.write_report(self.folder, report.report_json, signed, self.trial.provisioned.root)

    def _archive(self, department: Client, dossier: Dossier) -> Record:
        with self.teller.step("It is archived, with the descriptive record of Law 135/2007") as notes:
            record = department.archive(dossier.document, descriptive_record())
            notes.append(f"{record.name}, SHA-256 {record.sha256.hex()[:16]}…")
        return record

    def _prove(self, department: Client, record: Record) -> RecordProof:
        with self.teller.step("A signed, time-stamped checkpoint of the journal covers it") as notes:
            proof = _wait_for_proof(department, record)
            verdict = department.verify_record(record.name)
            notes += [f"{check.check}: {check.detail}" for check in verdict.checks]
        return proof

    def _check_offline(self, signed: Path, proof: RecordProof) -> None:
        with self.teller.step("The record is checked offline, from files alone") as notes:
            files = demo_output.write_proof(self.folder, proof, self.trial.provisioned.root)
            verdict = demo_output.check_offline(files, signed)
            archived = f"{verdict.archive_time:%Y-%m-%d %H:%M:%S} UTC"
            notes.append(f"in the journal since {archived}, by {verdict.archivist}")
            notes.append(f"proven to have existed by {verdict.existed_by:%Y-%m-%d %H:%M:%S} UTC")


def descriptive_record() -> DescriptiveRecord:
    """Give what the registry says of the demo's document."""
    return DescriptiveRecord(
        owner="Primăria Comunei Lunca Teilor",
        issuer="Primarul Comunei Lunca Teilor",
        rights_holder="Primăria Comunei Lunca Teilor",
        history="Semnată electronic de primar și de secretarul general.",
        document_type="dispoziție",
        classification="I.A.2",
        keywords=["dispoziție", "primar"],
        issue_date=f"{utc_now():%Y-%m-%d}",
        retention="P",
    )


def _wait_for_proof(department: Client, record: Record) -> RecordProof:
    """Ask until a time-stamped checkpoint covers the record; the server signs one every second."""
    deadline = time.monotonic() + PROOF_SECONDS
    while time.monotonic() < deadline:
        try:
            proof = department.record_proof(record.name)
        except PeceteError as error:
            if error.reason != "CHECKPOINT_PENDING":
                raise
        else:
            if parse_record_proof(proof.proof_json).timestamp_token is not None:
                return proof
        time.sleep(0.1)
    raise UnavailableError("DEMO_FAILED", "No checkpoint came to cover the record.")
