"""The engine's cases, which every front end must pass: how their files are read.

The format is that of `conformance/src/case.rs`, which says more about it.
"""

import re
from dataclasses import dataclass, field, replace

DIALECTS = {"sqlite", "postgres", "mysql"}
_STEP = re.compile(r"([a-z])([>:])\s*(.*)", re.DOTALL)
_LINE = re.compile(r"\[([a-z ]+)\] (.*)", re.DOTALL)
_PARAMETER = re.compile(r"\s*(x'[0-9a-f]*'|'(?:[^']|'')*'|[^,]*?)\s*(?:,|$)", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\?\d*|%")


@dataclass
class Step:
    """What one session does: a query to be cached if possible, or anything else."""

    session: str
    is_read: bool
    sql: str
    params: list | None = None
    # What must come of a read: `hit`, `miss` or `bypass`.
    expect: str | None = None
    # What another session does in the middle of it.
    meanwhile: "Step | None" = None

    def on(self, database):
        """The step on a database of this name."""
        meanwhile = self.meanwhile and self.meanwhile.on(database)
        return replace(self, sql=self.sql.replace("{database}", database), meanwhile=meanwhile)


@dataclass
class Case:
    """What sessions do, one step after the other."""

    title: str
    dialects: set = field(default_factory=set)
    setup: list = field(default_factory=list)
    steps: list = field(default_factory=list)

    def sessions(self):
        """The letters of the sessions that take part."""
        steps = [*self.steps, *(step.meanwhile for step in self.steps if step.meanwhile)]
        return sorted({step.session for step in steps})


def parse(text, dialect):
    """The cases of a file that are for a dialect."""
    cases = []
    for line in _joined(text):
        found = _LINE.fullmatch(line)
        if found:
            names, line = set(found[1].split()), found[2]
            assert names <= DIALECTS, names
            if dialect not in names:
                continue
        word, _, rest = line.partition(" ")
        if word == "case":
            cases.append(Case(rest))
        elif word == "on":
            cases[-1].dialects = set(rest.split())
            assert cases[-1].dialects <= DIALECTS, rest
        elif word == "setup":
            cases[-1].setup.append(rest)
        elif word == "meanwhile":
            cases[-1].steps[-1].meanwhile = _step(rest)
        else:
            cases[-1].steps.append(_step(line))
    return [case for case in cases if not case.dialects or dialect in case.dialects]


def _joined(text):
    """The lines without comments; one that begins with blanks goes on with the one before."""
    lines = []
    for line in text.splitlines():
        trimmed = line.strip()
        if not trimmed or line.startswith("#"):
            continue
        if lines and line.startswith(" ") and not trimmed.startswith("meanwhile "):
            lines[-1] += "\n" + trimmed
        else:
            lines.append(trimmed)
    return lines


def _step(line):
    session, sign, text = _STEP.fullmatch(line).groups()
    before, arrow, expect = text.rpartition(" => ")
    if arrow:
        text, expect = before.strip(), expect.strip()
        assert expect in ("hit", "miss", "bypass"), line
    else:
        expect = None
    sql, bar, values = text.rpartition(" | ")
    if not bar:
        return Step(session, sign == ">", text.strip(), None, expect)
    sql, params = _placeholders(sql.strip(), _parameters(values))
    return Step(session, sign == ">", sql, params, expect)


def _parameters(text):
    found, at = [], 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        found.append(_parameter(match[1]))
        at = match.end()
    return found


def _parameter(text):
    if text[:2].lower() == "x'":
        return bytes.fromhex(text[2:-1])
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    words = {"null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _placeholders(sql, params):
    """The text with its `?` and its `%` as Django's cursors take them; they know no numbers."""
    given = []

    def written(found):
        word = found[0]
        if not word.startswith("?"):
            return word.replace("%", "%%")
        given.append(params[int(word[1:]) - 1 if len(word) > 1 else len(given)])
        return "%s"

    return _QUOTED.sub(written, sql), given
