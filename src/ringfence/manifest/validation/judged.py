"""Whole documents judged: what ``validate`` prints, a line for each object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import Document, Item, items
from ringfence.manifest.strictness import Options
from ringfence.manifest.validation.validate import Judgement, judge, judge_other


@dataclass(frozen=True, slots=True)
class JudgedObject:
    """One object of a source and the API server's answer to it."""

    source: str
    kind: str
    namespace: str | None
    name: str
    judgement: Judgement
    place: str

    def document(self) -> dict[str, Any]:
        """Return the line that ``validate -o json`` prints."""
        judgement = self.judgement
        return {
            "source": self.source,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "valid": judgement.valid,
            "message": judgement.message,
            "causes": [
                {"field": c.field, "reason": c.reason, "message": c.message}
                for c in judgement.causes
            ],
            "warnings": list(judgement.warnings),
            "object": judgement.object,
            "hints": [
                {
                    "place": h.place,
                    "field": h.field,
                    "message": h.message,
                    "hint": h.hint,
                }
                for h in judgement.hints
            ],
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """All judged objects in order, and how many of other kinds were passed over."""

    objects: tuple[JudgedObject, ...]
    passed_over: Counter[str]


def judge_documents(documents: Iterable[Document], options: Options) -> Judged:
    """Judge every object of the kinds that are known; raises InputError for lists.

    An entry of a ``List`` that is no object has no answer of its own.
    """
    found: list[JudgedObject] = []
    passed_over: Counter[str] = Counter()
    problems: list[Problem] = []
    for document in documents:
        if not isinstance(document.value, dict):
            found.append(_judged_other(document))
            continue
        try:
            objects = items(document)
        except InputError as error:
            problems += error.problems
            continue
        for item in objects:
            judgement = judge(item, options)
            if judgement is None:
                passed_over[_other_kind(item)] += 1
            else:
                found.append(_judged(item, judgement, options))
    if problems:
        raise InputError(problems)
    return Judged(tuple(found), passed_over)


def _judged(item: Item, judgement: Judgement, options: Options) -> JudgedObject:
    meta = item.value.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    if judgement.object is not None:
        meta = judgement.object["metadata"]
    namespace = _text(meta.get("namespace")) or options.namespace
    return JudgedObject(
        source=item.document.source,
        kind=item.kind,
        namespace=None if item.kind in {"Namespace", "Node"} else namespace,
        name=_text(meta.get("name")) or _text(meta.get("generateName")),
        judgement=judgement,
        place=str(item.position()),
    )


def _judged_other(document: Document) -> JudgedObject:
    place = str(document.position())
    return JudgedObject(document.source, "", None, "", judge_other(document), place)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _other_kind(item: Item) -> str:
    group = item.api_version.rpartition("/")[0]
    return f"{item.kind}.{group}" if group else item.kind
