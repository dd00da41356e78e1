"""The three projects of the demo and the end-to-end tests. To add one: `Project` says what it takes, the tests check it.

Each bug is one that the package really had: the fix that its change log names is taken back, so that the tests which came
with the fix fail again.
"""

from pathlib import Path
from typing import Any

from hack.projects.project import Bug, Project, Replacement

_SCRIPTS = Path(__file__).resolve().parent / "scripts"
_PYTEST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Only pytest itself, whatever plugins are installed beside it: as on a machine of the package's own developers."""


def _pipeline(env: dict[str, str], **commands: list[str]) -> dict[str, Any]:
    return {**commands, "env": [{"name": name, "value": value} for name, value in env.items()]}


_PARSE_LINT = "ruff check --isolated --no-cache --select E,F,W --line-length 120 parse.py"

PARSE = Project(
    name="parse",
    version="1.20.2",
    sha256="b41d604d16503c79d81af5165155c0b20f6c8d6c559efa66b4b695c3e5a0a0ce",
    scenario="lint",
    bug=Bug(
        source='1.8.4: "Correct handling of AM/PM to follow most common interpretation" (README.rst; its issue 57)',
        replacements=(
            Replacement(
                path="parse.py",
                released="""\
    if am is not None:
        am = groups[am]
        if am:
            am = am.strip()
        if am == "AM" and H == 12:
            # correction for "12" hour functioning as "0" hour: 12:15 AM = 00:15 by 24 hr clock
            H -= 12
        elif am == "PM" and H == 12:
            # no correction needed: 12PM is midday, 12:00 by 24 hour clock
            pass
        elif am == "PM":
            H += 12
""",
                buggy="""\
    day_incr = False
    if am is not None:
        am = groups[am]
        if am and am.strip() == "PM":
            H += 12
            if H > 23:
                day_incr = True
                H -= 24
""",
            ),
            Replacement(
                path="parse.py",
                released="""\
        d = datetime(y, m, d, H, M, S, u, tzinfo=tz)

    return d
""",
                buggy="""\
        d = datetime(y, m, d, H, M, S, u, tzinfo=tz)

    if day_incr:
        d = d + timedelta(days=1)

    return d
""",
            ),
        ),
    ),
    issue_title="12:15 PM is parsed as a quarter past midnight of the next day",
    issue_body="""\
Noon and midnight on a 12-hour clock come out twelve hours late:

```pycon
>>> import parse
>>> parse.parse("Meet at {:tg}", "Meet at 1/2/2011 12:15 PM")[0]
datetime.datetime(2011, 2, 2, 0, 15)
>>> parse.parse("Meet at {:tg}", "Meet at 1/2/2011 12:15 AM")[0]
datetime.datetime(2011, 2, 1, 12, 15)
```

The first is a quarter past noon on the same day, the second a quarter past midnight. With a time alone it is worse:
`{:tt}` on `12:15:00 PM` ends in a `TypeError`.

**Done when**

- 12:xx AM is hour 0 and 12:xx PM is hour 12, both of the day that was given; every other hour stays as it is.
- `{:tt}` parses `12:15:00 PM` and `12:15:00 AM`, and a test says so.
- The whole test suite passes (`test_pm_overflow_issue16` and `test_pm_handling_issue57` fail today).
""",
    script=_SCRIPTS / "parse.yaml",
    spec={
        "pipeline": _pipeline(_PYTEST, lint=[_PARSE_LINT], test=["python -m pytest -q"]),
        "merge": {"requiredChecks": ["tests", "lint"]},
    },
    checks=(
        {"name": "tests", "command": "python -m pytest -q", "env": _PYTEST},
        {"name": "lint", "command": _PARSE_LINT},
    ),
)

SQLPARSE = Project(
    name="sqlparse",
    version="0.5.3",
    sha256="09f67787f56a0b16ecdbde1bfc7f5d9c3371ca683cfeaa8e6ff60b4807ec9272",
    scenario="wrong-first",
    bug=Bug(
        source='0.5.1: "Fix error when splitting statements that contain multiple CASE clauses within a BEGIN block '
        '(issue784)" (CHANGELOG)',
        replacements=(
            Replacement(
                path="sqlparse/engine/statement_splitter.py",
                released="        self._in_case = False\n        self._is_create = False\n",
                buggy="        self._is_create = False\n",
            ),
            Replacement(
                path="sqlparse/engine/statement_splitter.py",
                released="""\
        # BEGIN and CASE/WHEN both end with END
        if unified == 'END':
            if not self._in_case:
                self._begin_depth = max(0, self._begin_depth - 1)
            else:
                self._in_case = False
            return -1
""",
                buggy="""\
        # Should this respect a preceding BEGIN?
        # In CASE ... WHEN ... END this results in a split level -1.
        # Would having multiple CASE WHEN END and a Assignment Operator
        # cause the statement to cut off prematurely?
        if unified == 'END':
            self._begin_depth = max(0, self._begin_depth - 1)
            return -1
""",
            ),
            Replacement(
                path="sqlparse/engine/statement_splitter.py",
                released="""\
            if unified == 'CASE':
                self._in_case = True
            return 1
""",
                buggy="""\
            return 1
""",
            ),
        ),
    ),
    issue_title="split() cuts a trigger in two when its BEGIN block holds two CASE clauses",
    issue_body="""\
`sqlparse.split` returns more than one statement for this trigger:

```sql
CREATE TRIGGER mytrig
AFTER UPDATE OF vvv ON mytable
BEGIN
    UPDATE aa
        SET mycola = (CASE WHEN (A=1) THEN 2 END);
    UPDATE bb
        SET mycolb = (CASE WHEN (B=1) THEN 5 END);
END;
```

With a single CASE it works. It looks as if the END of the first CASE were taken for the end of the block.

**Expected:** one statement, for any number of CASE clauses in a block.

Acceptance criteria:
- [ ] `tests/test_split.py::test_split_multiple_case_in_begin` passes
- [ ] a statement after such a block is still split off, as in `casewhen_procedure.sql`
- [ ] nothing else in the test suite changes
""",
    drop=(".idea", ".python-version"),
    script=_SCRIPTS / "sqlparse.yaml",
    spec={
        "pipeline": _pipeline(_PYTEST, test=["python -m pytest -q"]),
        "merge": {"requiredChecks": ["tests"]},
    },
    checks=({"name": "tests", "command": "python -m pytest -q", "env": _PYTEST},),
)

_ISODATE_ENV = {**_PYTEST, "PYTHONPATH": "src"}

ISODATE = Project(
    name="isodate",
    version="0.7.2",
    sha256="4cd1aa0f43ca76f4a6c6c0292a85f40b35ec2e43e315b59f06e6d32171a953e6",
    scenario="checks-fail",
    bug=Bug(
        source='0.7.x after 0.6.1: "Fractional seconds are cut off to microseconds (always round down)" (CHANGES.txt)',
        replacements=(
            Replacement(
                path="src/isodate/isotime.py",
                released="from decimal import ROUND_FLOOR, Decimal\n",
                buggy="from decimal import Decimal\n",
            ),
            Replacement(
                path="src/isodate/isotime.py",
                released="""\
                second = Decimal(groups["second"]).quantize(
                    Decimal(".000001"), rounding=ROUND_FLOOR
                )
""",
                buggy="""\
                # round to microseconds if fractional seconds are more precise
                second = Decimal(groups["second"]).quantize(Decimal(".000001"))
""",
            ),
            Replacement(
                path="src/isodate/isotime.py",
                released="""\
                second = Decimal((minute - int(minute)) * 60).quantize(
                    Decimal(".000001"), rounding=ROUND_FLOOR
                )
""",
                buggy="""\
                second = (minute - int(minute)) * 60
""",
            ),
        ),
    ),
    issue_title="parse_datetime rounds fractions of a second up, up to a second that does not exist",
    issue_body="""\
Fractions finer than a microsecond are rounded, not cut off:

```pycon
>>> isodate.parse_datetime("2012-10-30T08:55:22.1234567Z").microsecond
123457
>>> isodate.parse_datetime("2012-10-30T10:59:59.9999999Z")
ValueError: second must be in 0..59
```

A time that is read must never lie after the one that was written, and a valid one must not raise.

- Digits beyond the sixth are dropped, for times with and without a date.
- Fractions of up to six digits come out exactly.
- All of `tests/` passes. (orch runs only the date and datetime tests before it opens a pull request; CI runs all.)
""",
    script=_SCRIPTS / "isodate.yaml",
    spec={
        "pipeline": _pipeline(_ISODATE_ENV, test=["python -m pytest -q tests/test_date.py tests/test_datetime.py"]),
        "merge": {"requiredChecks": ["tests"]},
    },
    checks=({"name": "tests", "command": "python -m pytest -q", "env": _ISODATE_ENV},),
)

ALL = (PARSE, SQLPARSE, ISODATE)
DEMO = PARSE
"""The project that `make demo` shows."""


def get_project(name: str) -> Project:
    """The project of that name. Raises KeyError."""
    return {project.name: project for project in ALL}[name]
