"""Structured logs: JSON, one object a line, on standard error; readable lines when a person looks at them."""

import logging
import sys

import structlog
from structlog.typing import Processor

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str) -> None:
    """Send our own and the libraries' log entries the same way. `level`: as in `[server] log_level`.

    Libraries speak at `warning` and above only: at `info` some of them print what they were given.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("pecete").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def get(part: str) -> structlog.stdlib.BoundLogger:
    """Give the log of one part of the service, such as `calls`."""
    log: structlog.stdlib.BoundLogger = structlog.get_logger(f"pecete.{part}")
    return log


def _renderers() -> tuple[Processor, ...]:
    if sys.stderr.isatty():
        # Without this the tracebacks of the console show local variables, and one of them may be a PIN.
        return (structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),)
    return (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
