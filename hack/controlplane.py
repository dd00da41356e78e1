"""The control plane from the command line: `python3 hack/controlplane.py binaries | up | env | down`.

Called by people and the Makefile. Standard library only, so that it runs before a virtual environment exists. What it
does is in `binaries` (where the programs come from), `servers` (running them) and `keeper` (keeping them up).
"""

import argparse
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, before anything is installed

from hack import binaries, keeper
from hack.servers import ControlPlane
from hack.versions import SetupError

__all__ = ["ControlPlane", "main"]

_DIRECTORY = Path("build/controlplane")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says. Exit status 0, or 1 after one line on stderr."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.act(asked))
    except (SetupError, OSError) as err:
        print(f"controlplane: {err}", file=sys.stderr)
    except KeyboardInterrupt:
        print("controlplane: interrupted", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="controlplane.py", description="A Kubernetes API server on this machine.")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    for name, act, text in (
        ("binaries", _binaries, "find, fetch or build the programs; print where they are"),
        ("up", _up, "start the servers, or find them running; print how to reach them"),
        ("env", _env, "print how to reach the servers, for eval"),
        ("down", _down, "stop the servers and delete all of their data"),
    ):
        sub = acts.add_parser(name, help=text, description=text)
        sub.set_defaults(act=act)
        if name != "binaries":
            sub.add_argument("--dir", type=Path, default=_DIRECTORY, help="where their data is (default: %(default)s)")
    return parser


def _binaries(_: argparse.Namespace) -> int:
    for path in binaries.ensure(_say).values():
        print(path)
    return 0


def _up(asked: argparse.Namespace) -> int:
    programs = binaries.ensure(_say)
    _print_env(keeper.keep(asked.dir), programs)
    return 0


def _env(asked: argparse.Namespace) -> int:
    place = keeper.Keep(asked.dir)
    if not place.is_up():
        raise SetupError(f"no control plane runs in {asked.dir}: start one with `up`")
    _print_env(place, binaries.ensure(_say))
    return 0


def _down(asked: argparse.Namespace) -> int:
    if not keeper.release(asked.dir):
        _say(f"no control plane in {asked.dir}")
    return 0


def _print_env(place: keeper.Keep, programs: binaries.Programs) -> None:
    print(f"export KUBECONFIG={shlex.quote(str(place.kubeconfig))}")
    print(f"export PATH={shlex.quote(str(programs['kubectl'].parent))}:$PATH")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
