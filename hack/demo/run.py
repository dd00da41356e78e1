"""`make demo`: an issue of a real project becomes a merged pull request, on this machine, before your eyes.

With REPO=owner/name ISSUE=n, GITHUB_TOKEN and ANTHROPIC_API_KEY it does the same on GitHub itself, after asking.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402

from hack.binaries import ensure  # noqa: E402
from hack.demo import local, real  # noqa: E402
from hack.demo.story import follow, tell  # noqa: E402
from hack.servers import ControlPlane  # noqa: E402
from hack.versions import SetupError  # noqa: E402
from hack.world import ProcessError, ServerError  # noqa: E402
from hack.world.outside import around_loopback  # noqa: E402


def main(base: Path) -> int:
    """Run the demo in a folder below `base`; 0 when the pull request is merged, 1 when the run ended otherwise, 2 when it could
    not start, 130 when it was interrupted."""
    console = Console(highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    os.environ |= around_loopback(os.environ)  # we and kubectl talk to servers here
    folder = _folder(base)
    try:
        scene = real.scene(console) if os.environ.get("REPO") else local.scene(folder)
        if scene is None:
            return 2
        return _play(console, folder, scene)
    except KeyboardInterrupt:
        console.print("\nstopped; nothing runs any more")
        return 130
    except (SetupError, ProcessError, ServerError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _play(console: Console, folder: Path, scene: local.Scene | real.Scene) -> int:
    began = time.monotonic()
    programs = ensure(lambda text: console.print(f"[dim]{text}[/dim]"))
    with ControlPlane(folder / "controlplane", programs) as plane, scene.open(plane, programs["kubectl"]) as world:
        console.print(
            f"[dim]an API server, GitHub, a model, the gateway and the operator run ({time.monotonic() - began:.1f} s)[/dim]"
        )
        run = scene.begin(console, world)
        document = follow(console, world, run, people=scene)
        merged = tell(console, world, document, seconds=time.monotonic() - began, scene=scene)
        if console.is_terminal and sys.stdin.isatty():
            console.print("\nEverything still runs, for you to look around. [bold]Ctrl-C[/bold] ends it.")
            signal.pause()
        return 0 if merged else 1


def _folder(base: Path) -> Path:
    """A folder of this demo's own, so that two run side by side; its pid is for `make demo-down`."""
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=base))
    (folder / "pid").write_text(str(os.getpid()))
    return folder


def _interrupt(*_: object) -> None:
    """Once is enough: a second Ctrl-C must not cut the stopping short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / ".demo"))
