"""Logging to standard error, as logfmt or JSON. Keys are removed from every text, including tracebacks."""

import logging
import re
import sys
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_KEY = re.compile(r"sk-ant-[A-Za-z0-9_-]+")


def configure(level: str, log_format: str, secret: Callable[[], str] = str) -> None:
    """Send the lines of structlog and the standard library through one chain; `secret` returns the current key."""

    def scrub(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        hidden = secret()
        for name, value in event.items():
            if isinstance(value, str):
                text = value.replace(hidden, "[key]") if hidden else value
                event[name] = _KEY.sub("[key]", text)
        return event

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
        scrub,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"], bool_as_flag=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for noisy in ("httpx", "httpcore", "apscheduler", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # any client can cause its warnings
