"""A company's network on loopback: one proxy is the only way out, and it looks into TLS under a certificate authority of its own.

Used by the demo's test with the real services, whose names then lead to the stand-ins. It decides nothing: what asks it for another
name is refused, and everything that is asked is written down.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
_NAME = "A Company's Certificates"
Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass
class Company:
    """`proxy`: address of the way out; `authority`: PEM file whom to trust; `asked`: `METHOD target` of each request to the proxy."""

    proxy: str
    authority: Path
    asked: list[str] = field(default_factory=list)


@contextmanager
def company(folder: Path, services: Mapping[str, str]) -> Iterator[Company]:
    """The network while the block lasts. `services`: by name of a host, the address of what plays it."""
    trust, authority = _certificates(folder, list(services))
    made, ready, is_over = Company("", authority), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        fronts = {name: await _listening(_relaying(urlsplit(url).port or 0), trust) for name, url in services.items()}
        made.proxy = f"http://{HOST}:{await _listening(_tunnelling(fronts, made.asked))}"
        ready.set()
        await is_over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # which ends what is still being relayed
            runner.run(serve())

    thread = threading.Thread(target=run, name="company", daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield made
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(10)


async def _listening(served: Served, tls: ssl.SSLContext | None = None) -> int:
    """Serve at a free port for as long as the loop runs; the port."""
    server = await asyncio.start_server(served, HOST, 0, ssl=tls)
    return int(server.sockets[0].getsockname()[1])


def _tunnelling(fronts: Mapping[str, int], asked: list[str]) -> Served:
    """CONNECT to a known name at port 443. Source: RFC 9110, 9.3.6."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target = head.decode("latin-1").split()[:2]
        asked.append(f"{method} {target}")
        port = fronts.get(target.removesuffix(":443")) if method == "CONNECT" else None
        if port is None:
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _relay(reader, writer, port)

    return serve


def _relaying(port: int) -> Served:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relay(reader, writer, port)

    return serve


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Both ways, until either side has ended."""
    there, back = await asyncio.open_connection(HOST, port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while part := await source.read(1 << 16):
                sink.write(part)
                await sink.drain()
        except (ConnectionError, ssl.SSLError):
            pass  # whoever went away is gone for the other as well
        finally:
            sink.close()

    await asyncio.gather(pump(reader, back), pump(there, writer))


def _certificates(folder: Path, names: list[str]) -> tuple[ssl.SSLContext, Path]:
    """What serves these names, and the PEM file of the authority that says so."""
    folder.mkdir(parents=True)
    key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(key, key, x509.BasicConstraints(ca=True, path_length=0))
    leaf = _certificate(leaf_key, key, x509.SubjectAlternativeName([x509.DNSName(name) for name in names]))
    files = folder / "authority.pem", folder / "leaf.pem", folder / "leaf.key"
    files[0].write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    files[2].write_bytes(leaf_key.private_bytes(serialization.Encoding.PEM, form, plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files[1], files[2])
    return context, files[0]


def _certificate(
    key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, what: x509.ExtensionType
) -> x509.Certificate:
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    is_authority = key is by
    subject = issuer if is_authority else x509.Name([])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(what, critical=not subject.rdns or is_authority)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    return builder.sign(by, hashes.SHA256())
