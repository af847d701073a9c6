from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.manifest.reader import items, read_documents
from ringfence.manifest.strictness import FieldValidation, Options
from ringfence.manifest.validation.judged import Judged, judge_documents
from ringfence.manifest.validation.schema import known_versions, root
from ringfence.manifest.validation.validate import Judgement, judge

POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"


def judgement(text: str, options: Options = Options()) -> Judgement:  # noqa: B008 - a frozen value
    (document,) = read_documents(text.encode(), "in.yaml")
    (item,) = items(document)
    found = judge(item, options)
    assert found is not None
    return found


def judged(text: str) -> Judged:
    return judge_documents(read_documents(text.encode(), "in.yaml"), Options())


def hints(text: str) -> list[str]:
    return [str(hint) for hint in judgement(text).hints]


def test_a_misspelt_field_is_told_what_was_meant_and_where_it_stands() -> None:
    text = POLICY + "spec:\n  podSelector: {}\n  ingress:\n  - form: []\n"
    assert hints(text) == [
        "in.yaml:7:5: spec.ingress[0].form: unknown field (did you mean from?)"
    ]


def test_a_field_one_level_too_high_is_told_where_it_belongs() -> None:
    text = POLICY + "spec:\n  ingress:\n  - from:\n    podSelector: {}\n"
    (hint,) = hints(text)
    assert hint.endswith(
        "spec.ingress[0].podSelector: unknown field (it belongs inside from)"
    )


def test_an_unquoted_label_is_told_to_be_quoted() -> None:
    text = POLICY + "spec:\n  podSelector:\n    matchLabels:\n      old: no\n"
    (hint,) = hints(text)
    assert hint.startswith("in.yaml:7:12: spec.podSelector.matchLabels.old: ")
    assert hint.endswith("(quote it to make it a string)")


def test_a_word_in_the_wrong_case_is_told_the_right_one() -> None:
    (hint,) = hints(POLICY + "spec: {podSelector: {}, policyTypes: [ingress]}\n")
    assert hint.startswith("in.yaml:4:39: spec.policyTypes[0]: ")
    assert hint.endswith("(did you mean Ingress?)")


def test_a_key_given_twice_is_shown_where_it_is_given_again() -> None:
    text = POLICY + "spec:\n  podSelector: {}\n  podSelector: {}\n"
    assert "in.yaml:6:3: spec.podSelector: is given twice (keep one of them)" in hints(
        text
    )


def test_lines_are_told_as_of_the_document_the_server_would_get() -> None:
    doubled = POLICY + "spec: {podSelector: {}}\nspec: {podSelector: {}}\n"
    documents = read_documents(f"a: 1\n---\n{doubled}".encode(), "in.yaml")
    alone = judgement(doubled)
    found = judge(items(documents[1])[0], Options())
    assert found is not None
    assert "line 5: key" in alone.message
    assert found.message == alone.message


def test_warnings_let_unknown_fields_pass() -> None:
    found = judgement(
        POLICY + "spec: {podSelector: {}, foo: 1}\n",
        Options(field_validation=FieldValidation.WARN),
    )
    assert found.valid
    assert found.warnings == ('unknown field "spec.foo"',)


def test_an_object_over_three_mebibytes_is_too_large() -> None:
    text = POLICY + f"# {'x' * 3_200_000}\nspec: {{podSelector: {{}}}}\n"
    found = judgement(text)
    assert (found.code, found.valid) == (413, False)


def test_json_and_yaml_of_the_same_object_get_the_same_answer() -> None:
    value = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p"},
        "spec": {"podSelector": {}, "foo": 1, "bar": 2, "ingress": [{"ports": [{}]}]},
    }
    as_json, as_yaml = json.dumps(value), json.dumps(value).replace('"foo"', "foo", 1)
    assert judgement(as_json).message == judgement(as_yaml).message


def test_other_kinds_are_passed_over_and_counted() -> None:
    found = judged(
        "kind: ConfigMap\napiVersion: v1\n---\n"
        "kind: Service\napiVersion: serving.knative.dev/v1\n---\n"
        "kind: List\napiVersion: v1\nitems: [{kind: Secret, apiVersion: v1}]\n"
    )
    assert not found.objects
    assert found.passed_over == {
        "ConfigMap": 1,
        "Service.serving.knative.dev": 1,
        "Secret": 1,
    }


def test_the_line_of_an_object_has_all_its_keys() -> None:
    (found,) = judged(POLICY + "spec: {podSelector: {}}\n").objects
    line = found.document()
    assert line["source"] == "in.yaml"
    assert (line["kind"], line["namespace"], line["name"]) == (
        "NetworkPolicy",
        "default",
        "p",
    )
    assert line["valid"] is True
    assert line["object"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert line["causes"] == line["warnings"] == line["hints"] == []


WORKLOAD = """
kind: {kind}
apiVersion: {version}
metadata: {{name: w}}
spec:
  selector: {{matchLabels: {{app: {selected}}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: c, image: "{image}"}}]
"""


@pytest.mark.parametrize(
    "kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"]
)
def test_a_workload_must_select_its_own_pods(kind: str) -> None:
    text = WORKLOAD.format(kind=kind, version="apps/v1", selected="web", image="i")
    assert judgement(text).valid
    text = WORKLOAD.format(kind=kind, version="apps/v1", selected="db", image="i")
    assert "`selector` does not match template `labels`" in judgement(text).message


def test_pods_of_templates_are_checked_like_pods() -> None:
    text = WORKLOAD.format(
        kind="Deployment", version="apps/v1", selected="web", image=""
    )
    (cause,) = judgement(text).causes
    assert cause.field == "spec.template.spec.containers[0].image"


def test_every_kind_of_the_schema_is_a_kind_of_the_server() -> None:
    for version, kinds in known_versions().items():
        for kind in kinds:
            struct = root(version, kind)
            assert struct is None or "metadata" in struct.fields


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
KINDS = [
    (version, kind)
    for version, kinds in known_versions().items()
    for kind in kinds
    if root(version, kind) is not None
]


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(
            ["ports", "selector", "template", "containers", "ingress", "type", "taints"]
        ),
        VALUES,
        max_size=4,
    ),
    VALUES,
)
def test_any_object_gets_an_answer(
    kind: tuple[str, str], spec: dict[str, object], metadata: object
) -> None:
    value = {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": spec}
    found = judgement(json.dumps(value))
    assert found.valid == (found.code == 201)
    assert found.valid or found.message
