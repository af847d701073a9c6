"""A run, told: lines for programs, a matrix and a summary for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.engine.allpairs.classes import pod_classes
from ringfence.engine.compiled import Compiled
from ringfence.lab.crosscheck import Check
from ringfence.lab.plan import Fate
from ringfence.lab.scope import Asked
from ringfence.model.flow import End, PodEnd, Protocol
from ringfence.model.meta import ObjectKey
from ringfence.model.verdict import Outcome
from ringfence.report.table import table
from ringfence.report.words import end_id

NONE, ALL, SELF = ".", "all", "-"
LEGEND = (
    "rows are sources, columns destinations; cells list the ports that packets got",
    f'through to, TCP unless marked: "{ALL}" tried, "{NONE}" none, "{SELF}" not tried',
)


@dataclass(frozen=True, slots=True)
class Told:
    """One question of a run with its answers, one a flow."""

    asked: Asked
    checks: tuple[Check, ...]

    @property
    def agree(self) -> bool:
        """Whether the three answers are the same for each flow."""
        return all(check.agree for check in self.checks)


def document(told: Told) -> dict[str, Any]:
    """Return a question as one JSON line has it; a group passes if all of it does."""
    asked, checks = told.asked, told.checks
    return {
        "from": asked.source,
        "to": asked.destination,
        "protocol": asked.protocol.value,
        "port": asked.port,
        "predicted": _worst(check.predicted for check in checks).value,
        "interpreted": _worst(check.interpreted for check in checks).value,
        "packet": _worst_fate(check.packet for check in checks).value,
        "agree": told.agree,
    }


def _worst(outcomes: Iterable[Outcome]) -> Outcome:
    seen = set(outcomes)
    order = (Outcome.DENY, Outcome.UNDECIDED, Outcome.ALLOW)
    return next(outcome for outcome in order if outcome in seen)


def _worst_fate(fates: Iterable[Fate]) -> Fate:
    seen = set(fates)
    order = (Fate.DROPPED, Fate.REFUSED, Fate.CONNECTED)
    return next(fate for fate in order if fate in seen)


def matrix_lines(compiled: Compiled, checks: Sequence[Check]) -> Iterator[str]:
    """Yield a table of what got through; a row is pods that no policy tells apart."""
    names = _names(compiled)
    tried: dict[tuple[str, str], dict[tuple[Protocol, int | None], bool]]
    tried = defaultdict(dict)
    for check in checks:
        cell = tried[
            _name(names, check.flow.source), _name(names, check.flow.destination)
        ]
        service = check.flow.protocol, check.flow.port
        passed = check.packet is Fate.CONNECTED
        cell[service] = cell.get(service, True) and passed
    seen = dict.fromkeys(name for pair in tried for name in pair)
    pods = [name for name in dict.fromkeys(names.values()) if name in seen]
    order = [*pods, *(name for name in seen if name not in pods)]
    numbers = [f"[{index}]" for index in range(1, len(order) + 1)]
    rows = [
        [number, row, *(_cell(tried.get((row, column))) for column in order)]
        for number, row in zip(numbers, order, strict=True)
    ]
    yield from table(["", "FROM \\ TO", *numbers], rows)
    yield ""
    yield from LEGEND


def _names(compiled: Compiled) -> dict[ObjectKey, str]:
    names = {}
    for members in pod_classes(compiled):
        more = f" (and {len(members) - 1} like it)" if len(members) > 1 else ""
        names.update(dict.fromkeys(members, f"{members[0]}{more}"))
    return names


def _name(names: dict[ObjectKey, str], end: End) -> str:
    return names[end.key] if isinstance(end, PodEnd) else end_id(end)


def _cell(services: dict[tuple[Protocol, int | None], bool] | None) -> str:
    if services is None:
        return SELF
    passed = [service for service, through in services.items() if through]
    if len(passed) == len(services):
        return ALL
    return ",".join(_service_words(*service) for service in passed) or NONE


def _service_words(protocol: Protocol, port: int | None) -> str:
    if port is None:
        return protocol.value
    return str(port) if protocol is Protocol.TCP else f"{port}/{protocol.value}"


def summary(told: Sequence[Told]) -> str:
    """Return the run in one line: how many flows, how many of them agree."""
    checks = [check for of in told for check in of.checks]
    wrong = sum(not check.agree for check in checks)
    count = Counter(check.packet for check in checks)
    fates = ", ".join(f"{count[fate]} {fate}" for fate in Fate if count[fate])
    if wrong:
        return f"{wrong} of {len(checks)} flows disagree ({fates})"
    flows = "the one flow" if len(checks) == 1 else f"all {len(checks)} flows"
    return f"prediction = ruleset = packets for {flows} ({fates})"
