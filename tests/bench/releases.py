"""Ten popular packages, two releases each: what people really changed, for the bench of the guards.

Source distributions from the index, pinned by digest, kept in the user's cache and never committed nor run.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath

from hack.projects import fetch_archive


@dataclass(frozen=True)
class Release:
    """One source distribution. `sha256` as the index publishes it."""

    name: str
    version: str
    sha256: str

    @property
    def archive(self) -> str:
        """Its file name (PEP 625)."""
        return f"{self.name}-{self.version}.tar.gz"


def _pair(name: str, old: tuple[str, str], new: tuple[str, str]) -> tuple[Release, Release]:
    return Release(name, *old), Release(name, *new)


PAIRS = (
    _pair(
        "flask",
        ("3.1.0", "5f873c5184c897c8d9d1b05df1e3d01b14910ce69607a117bd3277098a5836ac"),
        ("3.1.1", "284c7b8f2f58cb737f0cf1c30fd7eaf0ccfcde196099d24ecede3fc2005aa59e"),
    ),
    _pair(
        "click",
        ("8.1.8", "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a"),
        ("8.2.1", "27c491cc05d968d271d5a1db13e3b5a184636d9d930f148c50b038f0d0646202"),
    ),
    _pair(
        "jinja2",
        ("3.1.4", "4a3aee7acbbe7303aede8e9648d13b8bf88a429282aa6122a993f0ac800cb369"),
        ("3.1.6", "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d"),
    ),
    _pair(
        "werkzeug",
        ("3.0.6", "a8dd59d4de28ca70471a34cba79bed5f7ef2e036a76b3ab0835474246eb41f8d"),
        ("3.1.3", "60723ce945c19328679790e3282cc758aa4a6040e4bb330f53d30fa546d44746"),
    ),
    _pair(
        "requests",
        ("2.31.0", "942c5a758f98d790eaed1a29cb6eefc7ffb0d1cf7af05c3d2791656dbd6ad1e1"),
        ("2.32.3", "55365417734eb18255590a9ff9eb97e9e1da868d4ccd6402399eaf68af20a760"),
    ),
    _pair(
        "attrs",
        ("24.3.0", "8f5c07333d543103541ba7be0e2ce16eeee8130cb0b3f9238ab904ce1e85baff"),
        ("25.3.0", "75d7cefc7fb576747b2c81b4442d4d4a1ce0900973527c011d1030fd3bf4af1b"),
    ),
    _pair(
        "packaging",
        ("24.2", "c228a6dc5e932d346bc5739379109d49e8853dd8223571c7c5b55260edc0b97f"),
        ("25.0", "d443872c98d677bf60f6a1f2f8c1cb748e8fe762d2bf9d3148b5599295b0fc4f"),
    ),
    _pair(
        "urllib3",
        ("2.3.0", "f8c5449b3cf0861679ce7e0503c7b44b5ec981bec0d1d3795a07f1ba96f0204d"),
        ("2.4.0", "414bc6535b787febd7567804cc015fee39daab8ad86268f1310a9250697de466"),
    ),
    _pair(
        "pluggy",
        ("1.5.0", "2cffa88e94fdc978c4c574f15f9e59b7f4201d439195c3715ca9e2486f1d0cf1"),
        ("1.6.0", "7dcc130b76258d33b90f61b658791dede3486c3e6bfb003ee5c9bfb396dd22f3"),
    ),
    _pair(
        "wtforms",
        ("3.1.2", "f8d76180d7239c94c6322f7990ae1216dae3659b7aa1cee94b6318bdffb474b9"),
        ("3.2.1", "df3e6b70f3192e92623128123ec8dca3067df9cfadd43d59681e210cfb8d4682"),
    ),
)


def texts(release: Release) -> dict[str, str]:
    """Path → text of every text file, without what building the distribution put there. Fetched if it is not in the cache."""
    found: dict[str, str] = {}
    with tarfile.open(fetch_archive(release)) as archive:
        for member in archive:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or path.name == "PKG-INFO" or any(part.endswith(".egg-info") for part in path.parts):
                continue
            data = content.read()
            if b"\0" not in data:
                found[str(path)] = data.decode(errors="replace")
    return found
