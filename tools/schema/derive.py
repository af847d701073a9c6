# ruff: noqa: INP001 - a script, not a package
"""Derive the schema of the kinds that ringfence validates.

Usage: derive.py KUBERNETES_MODULE API_MODULE APIMACHINERY_MODULE > schema.json

What fields an object has comes from the published OpenAPI document
(api/openapi-spec/swagger.json of the first directory); what Go calls their
types, which the API server's messages name, and their order, which its answers
keep, from the types*.go files of the other two. The two must agree.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOTS = {
    "v1": ["Namespace", "Node", "Pod", "ReplicationController", "Service"],
    "apps/v1": ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
    "batch/v1": ["CronJob", "Job"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
}
PACKAGES = {
    "v1": "core/v1",
    "apps/v1": "apps/v1",
    "batch/v1": "batch/v1",
    "networking.k8s.io/v1": "networking/v1",
}
QUALIFIERS = {
    "metav1": "meta/v1",
    "v1": "core/v1",
    "corev1": "core/v1",
    "types": "types",
    "intstr": "intstr",
    "resource": "resource",
    "runtime": "runtime",
}
CUSTOM = {
    "meta/v1.Time",
    "meta/v1.MicroTime",
    "meta/v1.FieldsV1",
    "resource.Quantity",
    "intstr.IntOrString",
}
BASIC = {"string", "bool", "int32", "int64", "float64", "byte"}
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
SCALAR = re.compile(r"^type (\w+) (string|int32|map\[.*)$", re.MULTILINE)
FIELD = re.compile(r'^\t(?:\w+\s+)?(\S+)\s+`json:"([^",]+)([^"]*)"')
EMBEDDED = re.compile(r'^\t([\w.]+)\s+`json:",inline"')
NAMES = re.compile(r"[A-Za-z][\w.]*")


class Source:
    """The Go declarations of a few packages, by qualified name."""

    def __init__(self, api: Path, machinery: Path) -> None:
        self.structs: dict[str, tuple[str, str]] = {}
        self.scalars: dict[str, str] = {"types.UID": "string"}
        for package in set(PACKAGES.values()):
            self._read(package, api / package)
        self._read("meta/v1", machinery / "pkg/apis/meta/v1")

    def _read(self, package: str, folder: Path) -> None:
        for path in sorted(folder.glob("*types.go")):
            text = path.read_text()
            for found in STRUCT.finditer(text):
                self.structs[f"{package}.{found[1]}"] = (package, found[2])
            for found in SCALAR.finditer(text):
                self.scalars[f"{package}.{found[1]}"] = qualified(package, found[2])

    def fields(self, name: str) -> dict[str, str]:
        """Return a struct's fields: JSON name to Go type, ``!`` where always written.

        Before an ``@`` stand the embedded structs that the field comes from.
        """
        package, body = self.structs[name]
        found: dict[str, str] = {}
        for line in body.splitlines():
            if inline := EMBEDDED.match(line):
                inner = qualified(package, inline[1])
                told = inner.rpartition(".")[2]
                for key, text in self.fields(inner).items():
                    head, _, rest = text.rpartition("@")
                    found[key] = f"{told}.{head}@{rest}"
            elif field := FIELD.match(line):
                always = "" if "omitempty" in field[3] else "!"
                found[field[2]] = always + qualified(package, field[1])
        return found


def qualified(package: str, text: str) -> str:
    """Return a Go type with every name in it qualified by its package."""

    def one(found: re.Match[str]) -> str:
        word = found[0]
        if word in BASIC or word == "map":
            return word
        head, dot, name = word.partition(".")
        return f"{QUALIFIERS[head]}.{name}" if dot else f"{package}.{word}"

    return NAMES.sub(one, text)


def swagger_name(name: str) -> str:
    """Return what the OpenAPI document calls a Go type."""
    package, _, struct = name.rpartition(".")
    prefix = "apimachinery.pkg.apis" if package.startswith("meta/") else "api"
    return f"io.k8s.{prefix}.{package.replace('/', '.')}.{struct}"


def derive(kubernetes: Path, api: Path, machinery: Path) -> dict[str, object]:
    """Return the schema of all roots and what they refer to."""
    spec = json.loads((kubernetes / "api/openapi-spec/swagger.json").read_text())
    definitions = spec["definitions"]
    source = Source(api, machinery)
    structs: dict[str, dict[str, str]] = {}
    scalars: dict[str, str] = {}
    pending = [
        f"{PACKAGES[version]}.{kind}"
        for version, kinds in ROOTS.items()
        for kind in kinds
    ]
    while pending:
        name = pending.pop()
        if (
            name in structs
            or name in scalars
            or name in CUSTOM
            or name in BASIC | {"map"}
        ):
            continue
        if name in source.scalars:
            scalars[name] = source.scalars[name]
            pending += names(source.scalars[name])
            continue
        fields = structs[name] = source.fields(name)
        published = definitions[swagger_name(name)].get("properties", {})
        if set(published) != set(fields):
            sys.exit(f"{name}: {sorted(set(published) ^ set(fields))}")
        pending += [inner for text in fields.values() for inner in names(text)]
    return {
        "kinds": kinds_by_version(definitions),
        "roots": {
            f"{version} {kind}": f"{PACKAGES[version]}.{kind}"
            for version, kinds in ROOTS.items()
            for kind in kinds
        },
        "scalars": dict(sorted(scalars.items())),
        "structs": dict(sorted(structs.items())),
    }


def names(text: str) -> list[str]:
    """Return the type names in a Go type."""
    return re.findall(r"[a-z][\w/]*\.\w+", text.rpartition("@")[2])


def kinds_by_version(definitions: dict[str, dict[str, object]]) -> dict[str, list[str]]:
    """Return the kinds that the API server knows in the versions of the roots."""
    found: dict[str, set[str]] = {version: set() for version in ROOTS}
    for definition in definitions.values():
        for gvk in definition.get("x-kubernetes-group-version-kind", []):
            version = "/".join(filter(None, (gvk["group"], gvk["version"])))
            if version in found:
                found[version].add(gvk["kind"])
    return {version: sorted(kinds) for version, kinds in found.items()}


if __name__ == "__main__":
    json.dump(derive(*map(Path, sys.argv[1:])), sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")
