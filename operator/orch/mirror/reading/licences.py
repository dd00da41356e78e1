"""Licence notices in files: the family by SPDX identifier or by the words of the licence itself.

A notice that changed or went away, and a new file whose notice is of another family than the repository's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source
from orch.policy.files import is_licence

_HEAD: Final = 4000
"""Characters in which a notice stands."""

_SPDX: Final = r"SPDX-License-Identifier:[ \t]*\(?([A-Za-z0-9.+-]+(?:[ \t]+(?:AND|OR|WITH)[ \t]+[A-Za-z0-9.+-]+)*)"
_WORDS: Final = (
    ("AGPL", r"GNU\s+AFFERO\s+GENERAL\s+PUBLIC\s+LICENSE"),
    ("LGPL", r"GNU\s+(LESSER|LIBRARY)\s+GENERAL\s+PUBLIC\s+LICENSE"),
    ("GPL", r"GNU\s+GENERAL\s+PUBLIC\s+LICENSE"),
    ("Apache", r"Licensed\s+under\s+the\s+Apache\s+License|Apache\s+License\s+Version\s+2"),
    ("MPL", r"Mozilla\s+Public\s+License"),
    ("EPL", r"Eclipse\s+Public\s+License"),
    ("MIT", r"Permission\s+is\s+hereby\s+granted,\s+free\s+of\s+charge"),
    ("ISC", r"Permission\s+to\s+use,\s+copy,\s+modify,\s+and/or\s+distribute"),
    ("BSD", r"Redistribution\s+and\s+use\s+in\s+source\s+and\s+binary\s+forms"),
    ("SSPL", r"Server\s+Side\s+Public\s+License"),
    ("BUSL", r"Business\s+Source\s+License"),
)
"""In any case of letters. Compiled when they are first looked for: a mirror child imports this, and seldom asks."""

_COPYLEFT: Final = frozenset({"AGPL", "GPL", "LGPL", "MPL", "EPL", "SSPL", "BUSL"})


def read(source: Source) -> Iterator[SourceFact]:
    """Licence files themselves are told by their path, so they are passed over."""
    if source.new is None or is_licence(source.path):
        return
    new = family(source.new)
    if source.old is not None:
        old = family(source.old)
        if old and old != new:
            yield source.fact(FactKind.LICENCE_CHANGED, subject=old, detail=new or "none")
    elif new and new != source.licence and (source.licence or new in _COPYLEFT):
        yield source.fact(FactKind.LICENCE_OTHER, subject=new, detail=source.licence or "not known")


def family(text: str) -> str:
    """`Apache`, `GPL`…; an SPDX expression of several as it stands; empty for a text without a notice."""
    head = text[:_HEAD]
    if found := re.search(_SPDX, head):
        return found[1] if " " in found[1] else found[1].split("-")[0]
    return next((name for name, words in _WORDS if re.search(words, head, re.I)), "")
