"""How a log record becomes one line of JSON, without the secrets that an exception may carry."""

import logging
import re
from collections.abc import Iterable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
TOKEN = re.compile(r"eyJ[\w-]+(?:\.[\w-]*){1,4}|(?i:(?<=bearer )|(?<=basic ))\S+", re.ASCII)
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")


def json_formatter(secrets: Iterable[str] = ()) -> logging.Formatter:
    """Return a formatter: one line with event, level, logger, timestamp and, if there is one, exception.

    Tokens, credentials of an Authorization header, passwords in URLs and `secrets` are hidden wherever they occur.
    """
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=("user_id", "family")),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _hiding(tuple(secrets)),
            structlog.processors.JSONRenderer(),
        ],
        keep_exc_info=False,
    )


def _hiding(secrets: tuple[str, ...]) -> Processor:
    """Return a processor that replaces what is secret in each text of a record."""
    known = "|".join(re.escape(secret) for secret in secrets if secret)
    patterns = (TOKEN, PASSWORD_IN_URL, *([re.compile(known)] if known else []))

    def hide(logger: WrappedLogger, method: str, record: EventDict) -> EventDict:
        for name, value in record.items():
            if isinstance(value, str) and name not in ("logger", "timestamp"):
                for pattern in patterns:
                    value = pattern.sub(HIDDEN, value)  # noqa: PLW2901 - one after the other
                record[name] = value
        return record

    return hide
