"""HTTP over the gateway's Unix socket: the only way out of the agent's sandbox. Each request has a connection of its own.

Made by `main`, used by `gateway` and `recorder`. The ticket is a header of this client and nowhere else: not in a log, an error
or the transcript. It never retries. It is the standard library's client, since any other takes longer to import than a short step
takes to work.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import IO, Final

from orch.agent.errors import StepError

_HOST: Final = "gateway"
_CONNECT_SECONDS: Final = 10
_SILENCE_SECONDS: Final = 180
"""The Messages API pings a stream every few seconds; a stream that is silent for so long is dead."""
_BLOCK: Final = 65_536


class Broken(StepError):
    """No connection, or one that broke. The text is the name of the error's type: an error's own words may quote what was sent."""


class Client:
    """Sends requests with a ticket, from any thread.

    It holds no connection between them: there is none to close, and none that the gateway may have closed meanwhile, so that a
    model call would have to be sent twice to be sent at all. Raises ValueError for a ticket that no header can hold."""

    def __init__(self, path: Path, ticket: str) -> None:
        if not (ticket.isascii() and ticket.isprintable()):
            raise ValueError("the ticket is not one line of printable ASCII")
        self._path = str(path)
        self._headers = {"authorization": f"Bearer {ticket}", "connection": "close"}

    @contextmanager
    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: IO[bytes] | None = None,
        size: int = 0,
        silence: float = _SILENCE_SECONDS,
        on_sent: Callable[[], None] = lambda: None,
    ) -> Iterator[Response]:
        """The response, whatever its status, with its content unread.

        `target`: path and query. `body`: sent from where it stands to its end, which is `size` bytes away. `silence`: seconds
        that the gateway may take for its next byte. `on_sent`: called once the request is written, before anything of the answer
        is read. Raises Broken."""
        length = {"content-length": str(size)} if body else {}
        with closing(_Connection(self._path, silence)) as connection:
            with _broken():
                connection.connect()
                connection.putrequest(method, target)
                for name, value in {**self._headers, **length, **(headers or {})}.items():
                    connection.putheader(name, value)
            if _is_sent(connection, body):
                on_sent()
            with _broken():
                answer = connection.getresponse()
            with answer:
                yield Response(answer)


class Response:
    """An answer of the gateway. `status`: HTTP's."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer
        self.status = answer.status

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        return self._answer.getheader(name)

    def chunks(self) -> Iterator[bytes]:
        """The content, once, as it arrives: none waits for the next. Raises Broken, also for content that ends too early."""
        left = self._answer.length  # None: it comes in chunks, or ends with the connection
        while left != 0 and (chunk := self._next()):
            if left is not None:
                left -= len(chunk)
            yield chunk
        if left:  # `read1` takes the end of the connection for that of the content
            raise Broken(IncompleteRead.__name__)

    def discard(self) -> None:
        """Read what is left, to know that all of it came. Raises Broken."""
        for _ in self.chunks():
            pass

    def _next(self) -> bytes:
        with _broken():
            return self._answer.read1(_BLOCK)


class _Connection(HTTPConnection):
    """To a Unix socket."""

    def __init__(self, path: str, silence: float) -> None:
        super().__init__(_HOST)
        self._path = path
        self._silence = silence

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(min(_CONNECT_SECONDS, self._silence))
        self.sock.connect(self._path)
        self.sock.settimeout(self._silence)


def _is_sent(connection: _Connection, body: IO[bytes] | None) -> bool:
    """Send head and body; whether all was taken. By blocks, since a socket's timeout is one for the whole of what it is given."""
    blocks = iter(lambda: body.read(_BLOCK), b"") if body else iter(())
    return _is_taken(connection.endheaders) and all(_is_taken(connection.send, block) for block in blocks)


def _is_taken(send: Callable[..., None], *data: bytes) -> bool:
    """Whether the gateway reads on. One that refuses may close before it has read all, and its answer is there to be read."""
    with _broken(), suppress(ConnectionError):
        send(*data)
        return True
    return False


@contextmanager
def _broken() -> Iterator[None]:
    """What goes wrong between a socket and its client is Broken."""
    try:
        yield
    except (OSError, HTTPException) as err:
        raise Broken(type(err).__name__) from err
