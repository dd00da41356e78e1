"""The two bubblewrap sandboxes of a step: what each sees, as options of `bwrap`. Pure but for looking at what is there.

Used by the supervisor and by the runner's check. Both sandboxes: own user, pid, network, IPC, UTS and cgroup namespaces, no
capabilities, no further user namespaces, a fresh /tmp and /proc, the system's programs read-only, no home, an empty environment.
The agent's has the ticket, the input and the folder of the gateway's socket; the tools' has the checkout. Neither has both.
Beside `orch.failpoints`, standard library only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from orch.failpoints import STEPS_VARIABLE, VARIABLE

ISOLATION: Final = (
    *("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"),
    *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
)
NO_NESTING: Final = "--disable-userns"
"""Of bubblewrap 0.8: code inside cannot make user namespaces, which is where kernels are weakest."""
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC: Final = (
    *(
        "/etc/alternatives",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/localtime",
        "/etc/mime.types",
    ),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/ca-certificates"),
)
_FILES: Final = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "/etc/group": "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_TMP_BYTES: Final = 2_000_000_000
_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")


class Python(NamedTuple):
    """Our interpreter and packages, as both programs need them. All paths are the same inside and outside."""

    executable: str
    search: tuple[str, ...]
    """Folders for PYTHONPATH: our package's parent and the installed packages."""
    folders: tuple[str, ...]
    """Folders that must be visible."""

    @classmethod
    def current(cls) -> Python:
        """The interpreter that runs this."""
        package = Path(__file__).resolve().parents[2]
        packages = [entry for entry in sys.path if entry.endswith("-packages") and Path(entry).is_dir()]
        executable = os.path.realpath(sys.executable)
        folders = [
            str(package),
            *packages,
            os.path.realpath(sys.base_prefix),
            str(Path(executable).parents[1]),
        ]
        return cls(executable, (str(package.parent), *packages), tuple(dict.fromkeys(folders)))

    def command(self, module: str, *arguments: str) -> list[str]:
        """Run a module of ours; without `site`, whose work would be repeated at each start."""
        return [self.executable, "-S", "-P", "-m", module, *arguments]

    def environment(self) -> dict[str, str]:
        """What the interpreter needs, and where a test wants it to die."""
        place = os.environ.get(STEPS_VARIABLE)
        told = {STEPS_VARIABLE: place, VARIABLE: place} if place else {}
        return {"PYTHONPATH": ":".join(self.search), "LANG": "C.UTF-8", **told}


class Sandbox(NamedTuple):
    """What is visible inside besides the system: folders to read, to write, and files made of bytes."""

    read: Sequence[tuple[str, str]]
    """(outside, inside)."""
    env: Mapping[str, str]
    write: Sequence[tuple[str, str]] = ()
    data: Mapping[str, bytes] = MappingProxyType({})
    folder: str = "/"

    def wrap(self, bwrap: Sequence[str], command: Sequence[str]) -> tuple[list[str], list[int]]:
        """`command` in this sandbox, and the descriptors that it has to inherit (and the caller to close).

        The options travel in a file: as arguments they would be seen inside, with the paths of this host."""
        options, descriptors = self._options()
        listed = _memory_file("\0".join([*bwrap[1:], *options]).encode())
        return [bwrap[0], "--args", str(listed), "--", *command], [*descriptors, listed]

    def _options(self) -> tuple[list[str], list[int]]:
        options = [*_system(), "--proc", "/proc", "--dev", "/dev"]
        for place in ("/dev/shm", "/tmp"):  # noqa: S108
            options += ["--size", str(_TMP_BYTES), "--tmpfs", place]
        for outside, inside in _outer_first(self.read):
            options += ["--ro-bind", outside, inside]
        for outside, inside in self.write:
            options += ["--bind", outside, inside]
        files = {path: text.encode() for path, text in _FILES.items()} | dict(self.data)
        descriptors = [_memory_file(content) for content in files.values()]
        for path, descriptor in zip(files, descriptors, strict=True):
            options += ["--ro-bind-data", str(descriptor), path]
        for name, value in self.env.items():
            options += ["--setenv", name, value]
        # what is left is memory of the host without a limit: nobody writes there
        return [*options, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", self.folder], descriptors


def _system() -> list[str]:
    options: list[str] = []
    for path in _SYSTEM:
        if Path(path).is_symlink():
            options += ["--symlink", os.readlink(path), path]  # noqa: PTH115
        elif Path(path).is_dir():
            options += ["--ro-bind", path, path]
    for path in _ETC:
        options += ["--ro-bind-try", path, path]
    return options


def _outer_first(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A folder before what lies in it, or it would hide that; without what the system's folders hold already."""
    wanted = sorted(dict.fromkeys(pairs), key=lambda pair: (pair[1].count("/"), pair[1]))
    return [pair for pair in wanted if not pair[1].startswith("/usr/")]


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("orch", 0)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def toolchain_folders(toolchains: Iterable[str]) -> list[str]:
    """The toolchains' folders, and of a virtual environment also the Python that it is made of."""
    folders: list[str] = []
    for toolchain in toolchains:
        folders.append(toolchain)
        if Path(toolchain, "pyvenv.cfg").is_file():
            python = os.path.realpath(Path(toolchain, "bin", "python3"))
            folders.append(str(Path(python).parents[1]))
            folders.append(str(_home(Path(toolchain, "pyvenv.cfg"), default=python).parent))
    return list(dict.fromkeys(folders))


def _home(config: Path, *, default: str) -> Path:
    """`home` of a pyvenv.cfg: the folder of the interpreter that the environment was made with."""
    for line in config.read_text(errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home":
            return Path(value.strip())
    return Path(default).parent


def search_path(toolchains: Iterable[str]) -> str:
    """PATH for the repository's commands: toolchains first."""
    return ":".join([*(str(Path(toolchain, "bin")) for toolchain in toolchains), *_PATH])


def agent_sandbox(python: Python, *, input_json: bytes, ticket: bytes, gateway_folder: str) -> Sandbox:
    """The sandbox of the loop: `/run/orch/{input.json,ticket,gateway/}`, no checkout."""
    return Sandbox(
        read=[*((folder, folder) for folder in python.folders), (gateway_folder, "/run/orch/gateway")],
        data={"/run/orch/input.json": input_json, "/run/orch/ticket": ticket},
        env={**python.environment(), "PATH": search_path(())},
    )


def tools_sandbox(python: Python, *, checkout: str, state: str, toolchains: list[str]) -> Sandbox:
    """The sandbox of the code: `/checkout` and `/state`, the toolchains, no ticket and no gateway."""
    read: Mapping[str, None] = dict.fromkeys([*python.folders, *toolchain_folders(toolchains)])
    return Sandbox(
        read=[(folder, folder) for folder in read],
        write=[(checkout, "/checkout"), (state, "/state")],
        env={**python.environment(), "PATH": search_path(toolchains)},
        folder="/checkout",
    )
