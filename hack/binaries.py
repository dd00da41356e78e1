"""Finds, fetches or builds the programs of a control plane: etcd, kube-apiserver, kube-controller-manager, kubectl.

Called by `controlplane` and by set-up, before a virtual environment exists: standard library only. The order is that a
person's own choice wins, then what is there, then what is quick: KUBEBUILDER_ASSETS, PATH, our cache, the official
release, a build from Go modules. Never starts a server.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from hack import releases, versions
from hack.locks import exclusive
from hack.tether import tethered
from hack.versions import GO_MODULE, TOOLS, SetupError

_OLDEST_GO = (1, 26)
_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kubectl")
_NEWS_EVERY = 30.0
"""Seconds between two signs of life of a build."""

Programs = dict[str, Path]
"""Where each of TOOLS is."""


def ensure(say: Callable[[str], None]) -> Programs:
    """The programs of a control plane, made if need be; `say` gets a line for each thing that takes time.

    Two callers at a time wait for one another instead of building twice. Raises SetupError.
    """
    return find(say) or _fill(say)


def find(say: Callable[[str], None]) -> Programs | None:
    """The programs, if they are there without fetching or building anything."""
    return find_chosen(say) or find_on_path() or find_cached()


def find_chosen(say: Callable[[str], None]) -> Programs | None:
    """What KUBEBUILDER_ASSETS names, as for controller-runtime's envtest."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return None
    programs = {tool: Path(folder) / tool for tool in TOOLS}
    reason = _misfit(programs)
    if reason:
        say(f"KUBEBUILDER_ASSETS={folder} is not used: {reason}")
        return None
    return programs


def find_on_path() -> Programs | None:
    """What is installed, if all of it is and fits together."""
    found = {tool: shutil.which(tool) for tool in TOOLS}
    programs = {tool: Path(path) for tool, path in found.items() if path}
    return programs if len(programs) == len(TOOLS) and _misfit(programs) is None else None


def find_cached() -> Programs | None:
    """What an earlier set-up fetched or built. Filled by rename, so what is there is whole."""
    programs = {tool: cache() / tool for tool in TOOLS}
    return programs if all(os.access(path, os.X_OK) for path in programs.values()) else None


def cache() -> Path:
    """The folder of the pinned version in the user's cache (XDG Base Directory Specification)."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the specification: a relative path is to be ignored
    home = configured if configured.is_absolute() else Path.home() / ".cache"
    return home / "orch" / "controlplane" / versions.kubernetes()


def _misfit(programs: Programs) -> str | None:
    return versions.misfit({tool: versions.find_version(path) for tool, path in programs.items()})


def _fill(say: Callable[[str], None]) -> Programs:
    """Fill the cache, unless another set-up did while we waited for our turn."""
    target = cache()
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(target.with_name(f"{target.name}.lock"), waiting=lambda: say("another set-up fills the cache…")):
        cached = find_cached()
        if cached:
            return cached
        partial = target.with_name(f"{target.name}.partial")
        for leftover in (partial, target):  # of a set-up that was killed; of a person who deleted a file
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir()
        _obtain(partial, say)
        partial.rename(target)
    return {tool: target / tool for tool in TOOLS}


def _obtain(into: Path, say: Callable[[str], None]) -> None:
    say(f"fetching Kubernetes {versions.kubernetes()} and etcd {versions.etcd()}…")
    try:
        releases.download(into)
    except releases.ReleaseError as err:
        say(f"the official release cannot be had ({err}), so it is built")
        _build(into, say)


def _build(into: Path, say: Callable[[str], None]) -> None:
    go = _get_go()
    say(f"building etcd, {', '.join(_COMPONENTS)} with Go: takes about 6 minutes, once")
    packages = [*(f"k8s.io/kubernetes/cmd/{name}" for name in _COMPONENTS), "./etcd"]
    log = into / "build.log"
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", _linker_flags(), "-o", f"{into}/", *packages]
    # what a person set for other projects must not change this build
    surroundings = {key: value for key, value in os.environ.items() if key not in {"GOOS", "GOARCH", "GOFLAGS"}}
    surroundings |= {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}
    started = time.monotonic()
    with log.open("w") as out:
        build = subprocess.Popen(
            tethered(command), cwd=GO_MODULE, env=surroundings, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            while not _ended(build):
                say(f"  still building, {time.monotonic() - started:.0f} s")
        except BaseException:
            build.terminate()
            build.wait()
            raise
    if build.returncode != 0:
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise SetupError(
            f"the control plane could not be built ({last[:300] or 'go build failed'}): connect to the network once, "
            f"or set KUBEBUILDER_ASSETS to a folder with {', '.join(TOOLS)}"
        )
    log.unlink()


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=_NEWS_EVERY)
    except subprocess.TimeoutExpired:
        return False
    return True


def _get_go() -> str:
    """The path of a Go that can build go.mod's language version. Raises SetupError."""
    wanted = f"install Go {_OLDEST_GO[0]}.{_OLDEST_GO[1]} or newer (https://go.dev/dl) to build the control plane"
    go = shutil.which("go")
    if go is None:
        raise SetupError(f"neither Kubernetes' release nor Go can be had: {wanted}")
    said = subprocess.run(
        [go, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    )
    version = versions.parse(said.stdout)
    if version is None or version < _OLDEST_GO:
        raise SetupError(f"Go is too old ({said.stdout.strip() or 'it does not say its version'}): {wanted}")
    return go


def _linker_flags() -> str:
    """Without these, the programs call themselves `v0.0.0-master+$Format:%H$` and version parsers stumble."""
    version = versions.kubernetes()
    major, minor = version.removeprefix("v").split(".")[:2]
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(["-s -w", *(f"-X {package}.{key}={value}" for package in packages for key, value in facts.items())])
