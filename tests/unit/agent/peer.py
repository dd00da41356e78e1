"""The gateway's end of a Unix socket, which does with each connection what a test says."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICKET = "ticket-canary-0123456789abcdef"
Play = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Heard:
    """A request. `first`: its first line; `headers`: by their names in lower case."""

    first: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def listening(folder: Path, play: Play) -> Iterator[Path]:
    """A socket, each of whose connections is played by `play`, one after the other, and closed after it."""
    path = Path(os.path.relpath(folder / "g.sock"))  # a socket's path is short: the folder of a test may not be
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, play), daemon=True)
        thread.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def hear(connection: socket.socket) -> Heard:
    """Read one request."""
    with connection.makefile("rb") as file:
        first = file.readline().decode().strip()
        lines = iter(lambda: file.readline().decode().strip(), "")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Heard(first, headers, file.read(int(headers.get("content-length", "0"))))


def answer(data: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole response."""
    lines = [f"{re.sub('_', '-', name)}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}content-length: {len(data)}\r\n\r\n".encode() + data


def answering(*texts: bytes) -> Play:
    """Answers the first request with the first text, and so on; the last again and again."""
    left = list(texts)

    def play(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return play


def _serve(listener: socket.socket, play: Play) -> None:
    with suppress(OSError):  # it was shut down
        while True:
            connection, _ = listener.accept()
            connection.settimeout(60)
            with connection, suppress(OSError):
                play(connection)
