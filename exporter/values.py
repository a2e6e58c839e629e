"""Values as people write them: durations, addresses and URLs. Each error says what is accepted. Pure."""

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LARGEST_PORT = 65535


def seconds(text: str) -> float:
    """Return the seconds of a duration: `90`, or as in Go `90s`, `1m30s` or `250ms`. Raises ValueError."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    if not re.fullmatch(f"(?:{_DURATION_PART.pattern})+", text, re.ASCII):
        raise ValueError("must be a duration such as 90, 90s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


class ListenAddress(str):
    """`:10918`, `127.0.0.1:10918` or `[::1]:10918`; an empty host means all interfaces."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """The host without brackets; empty for all interfaces."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 for any free one."""
        return int(self.rpartition(":")[2])


def listen_address(text: str) -> ListenAddress:
    """Return an address to listen on. Raises ValueError."""
    text = text.strip()
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]*):\d{1,5}", text, re.ASCII):
        raise ValueError("must be host:port or :port, such as :10918, 127.0.0.1:10918 or [::1]:10918")
    address = ListenAddress(text)
    if address.port > _LARGEST_PORT:
        raise ValueError(f"the port must be at most {_LARGEST_PORT}, as in :10918")
    return address


def api_url(text: str) -> str:
    """Return the URL of an API without a slash at its end. Raises ValueError."""
    expected = "must be an address such as https://api.anthropic.com"
    try:
        parts = urlsplit(text)
        usable = parts.port != 0 and parts.hostname and text.isprintable()
    except ValueError:  # a port that is no number, or a bracket that is not closed
        raise ValueError(expected) from None
    if not usable or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ValueError(expected)
    if parts.username or parts.password:
        raise ValueError("must not contain a user name or password, as in https://api.anthropic.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(
            "must be https, because plain http would expose the Admin key; an example is https://api.anthropic.com"
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cache_ttl(text: str) -> float:
    """Return a time to live in seconds. Raises ValueError."""
    shortest, longest = 1, 86400
    found = seconds(text)
    if not shortest <= found <= longest:
        raise ValueError("must be a duration from 1s to 24h, such as 90, 90s or 1m30s")
    return found


def api_version(text: str) -> str:
    """Return a version of the API, which is a date. Raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError("must be a date, such as 2023-06-01")
    return text


def path(text: str) -> Path:
    """Return a path. Raises ValueError for what looks like a key: messages show paths."""
    if "sk-ant-" in text:
        raise ValueError("must be a path, such as /etc/anthropic-exporter/key, and this looks like a key")
    return Path(text)
