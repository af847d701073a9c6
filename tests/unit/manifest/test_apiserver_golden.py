from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from ringfence.errors import InputError
from ringfence.manifest.reader import Unreadable, items, read_documents
from ringfence.manifest.strictness import FieldValidation, Options
from ringfence.manifest.validation.validate import Judgement, judge, judge_other

RECORDS = Path(__file__).parents[2] / "golden" / "apiserver" / "create.jsonl"
CASES = [json.loads(line) for line in RECORDS.read_text().splitlines()]

EXCEPTIONS = {
    "namespace-invalid-name": "404: whether a namespace exists is the cluster's to say",
    "namespace-mismatch": "400: a file is sent nowhere, so no path can differ from it",
    "ns-default-exists": "409: whether an object exists is the cluster's to say",
    "yaml-empty": "an empty file holds no document; only a request can be empty",
}
MODES = {
    "strict": {},
    "warn": {"field_validation": FieldValidation.WARN},
    "strict_cidr_gate_off": {"strict_cidr": False},
}


def body(case: dict[str, Any]) -> bytes:
    if "manifest" in case:
        return str(case["manifest"]).encode()
    return zlib.decompress(base64.b64decode(case["manifest_zlib"]))


def namespace(case: dict[str, Any]) -> str:
    _, found, rest = case["path"].partition("/namespaces/")
    return rest.partition("/")[0] if found else "default"


def answer(case: dict[str, Any], options: Options) -> Judgement | None:
    document = read_documents(body(case), "in.yaml")[0]
    if not isinstance(document.value, dict):
        return judge_other(document)
    return judge(items(document)[0], options)


def told(judgement: Judgement) -> dict[str, Any]:
    return {
        "code": judgement.code,
        "message": judgement.message,
        "causes": [
            {"field": c.field, "reason": c.reason, "message": c.message}
            for c in judgement.causes
        ],
        "warnings": list(judgement.warnings),
        **({"object": judgement.object} if judgement.valid else {}),
    }


IN_SCOPE = [case for case in CASES if case["name"] not in EXCEPTIONS]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", IN_SCOPE, ids=[case["name"] for case in IN_SCOPE])
def test_the_answer_is_word_for_word_the_api_servers(
    case: dict[str, Any], mode: str
) -> None:
    # A mode is recorded only where its answer differs from the strict one.
    expected = dict(case.get(mode, case["strict"]))
    options = Options(namespace=namespace(case), **MODES[mode])  # type: ignore[arg-type]  # one table for both switches
    try:
        judgement = answer(case, options)
    except InputError as error:
        (problem,) = error.problems
        assert isinstance(problem, Unreadable)
        assert problem.answer in expected["message"]
        return
    assert judgement is not None
    found = told(judgement)
    if expected.get("object", found) is None:
        expected["object"] = found["object"]
    assert found == expected


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_still_one(name: str) -> None:
    (case,) = [case for case in CASES if case["name"] == name]
    documents = read_documents(body(case), "in.yaml")
    judgement = answer(case, Options(namespace=namespace(case))) if documents else None
    assert judgement is None or told(judgement) != case["strict"]
