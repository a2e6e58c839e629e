"""Report the state of the service to systemd, by the datagrams of sd_notify(3). Without systemd nothing is sent."""

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"
_ALIVE = "WATCHDOG=1"


def send(state: str) -> None:
    """Send a state to the socket in NOTIFY_SOCKET, if it is set. A state that cannot be sent is dropped."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)  # the event loop calls this
            sender.sendto(state.encode(), path.replace("@", "\0", 1) if path[0] == "@" else path)
    except OSError:
        return


async def alive() -> None:
    """Tell the watchdog that the event loop runs."""
    send(_ALIVE)


def watchdog_seconds() -> float | None:
    """Return how often systemd wants to hear that this process is alive, or None if it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if meant and microseconds.isdigit() else None
