"""Downloads one source distribution as pip would, and no more: `python -m hack.projects.sdist NAME FILE TARGET`.

Called by `fetch`, as a process of its own. `pip download` runs the build of what it downloads, to read its metadata; this
takes pip's own finder and session, so that index, credentials, proxy and certificates are what the person configured, and
leaves the build out. Those are internals of pip, the same since pip 20.3; if they change, the caller hears it in one line.
"""

import sys
from pathlib import Path

_MOST = 20_000_000
"""Bytes. The largest of our projects has a hundredth of it."""
_CHUNK = 1 << 16


def main(arguments: list[str]) -> int:
    """Write the file. Exit status 0, or 1 after one line on stderr."""
    name, file, target = arguments
    try:
        _download(name, file, Path(target))
    except (ImportError, AttributeError, TypeError) as err:
        return _fail(f"this pip is built differently than this script knows: {err}")
    except Exception as err:  # pip has no common base of its errors and those of its HTTP library
        return _fail(f"{err}" or type(err).__name__)
    return 0


def _download(name: str, file: str, target: Path) -> None:
    from pip._internal.commands import create_command

    command = create_command("download")
    with command.main_context():
        options, _ = command.parse_args(["--no-input", "--quiet", "--no-deps", "--no-binary=:all:", name])
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        links = [found.link for found in finder.find_all_candidates(name) if found.link.filename == file]
        if not links:
            raise FileNotFoundError("the index cannot be reached, or does not have it: connect to the network once")
        answer = session.get(links[0].url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True)
        answer.raise_for_status()
        with target.open("wb") as out:
            for chunk in answer.iter_content(_CHUNK):
                if out.tell() > _MOST:
                    raise ValueError(f"it is larger than {_MOST} bytes")
                out.write(chunk)


def _fail(text: str) -> int:
    print(" ".join(text.split()), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
