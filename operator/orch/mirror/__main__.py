"""The program of a mirror child: `python -I -m orch.mirror`. Started by `orch.adapters.children`, never by a person."""

from orch.mirror.child import main

main()
