"""How a log record becomes one line of JSON."""

import logging

import structlog


def json_formatter() -> logging.Formatter:
    """Return a formatter: one line with event, level, logger, timestamp and, if there is one, exception."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        keep_exc_info=False,
    )
