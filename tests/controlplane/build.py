"""kube-apiserver, etcd, kubectl and helm, built from what go.mod and go.sum pin.

Where Go has nothing cached the build takes some six minutes on two cores, helm's two
more. What is built is kept under ``$XDG_CACHE_HOME/ringfence/controlplane``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

CONTROL_PLANE = Path(__file__).parent
HELM = CONTROL_PLANE / "helm"
"""A module of its own: together they would not have the versions they ship with."""

_FOREVER_S = 3600


class NoToolchainError(Exception):
    """There is no Go here that is new enough to build with."""

    def __init__(self) -> None:
        super().__init__("install Go 1.26 or newer")


def programs(module: Path = CONTROL_PLANE) -> Path:
    """Return the directory of a module's tools, built if they are not there yet."""
    pinned = (module / "go.mod").read_bytes() + (module / "go.sum").read_bytes()
    name = hashlib.sha256(pinned).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    target = Path(cache) / "ringfence" / "controlplane" / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _build(module, target)
    return target


def _build(module: Path, target: Path) -> None:
    go = _toolchain(module)
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    command = [go, "build", "-trimpath", f"-ldflags=-s -w {_version_flags(module)}"]
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    built = subprocess.run(
        [*command, "-o", f"{unfinished}/", "tool"],
        cwd=module,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_FOREVER_S,
    )
    if built.returncode:
        raise RuntimeError(f"go build failed:\n{built.stderr[-4000:]}")
    if (unfinished / "server").exists():
        (unfinished / "server").rename(unfinished / "etcd")
    unfinished.rename(target)


def _toolchain(module: Path) -> str:
    """Return the Go command, once it has fetched a newer self where it does that."""
    go = shutil.which("go")
    if go is None:
        raise NoToolchainError
    asked = [go, "env", "GOVERSION"]
    said = subprocess.run(
        asked, cwd=module, capture_output=True, text=True, check=False
    )
    wanted = (module / "go.mod").read_text()
    if _release(r"go(\d+)\.(\d+)", said.stdout) < _release(r"^go (\d+)\.(\d+)", wanted):
        raise NoToolchainError
    return go


def _release(pattern: str, text: str) -> tuple[int, ...]:
    found = re.search(pattern, text, re.MULTILINE)
    return tuple(map(int, found.groups())) if found else ()


def _version_flags(module: Path) -> str:
    """Return the link flags with which a server tells its true version."""
    text = (module / "go.mod").read_text()
    found = re.search(r"k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        return ""
    major, minor, patch = found.groups()
    said = {
        "gitVersion": f"v{major}.{minor}.{patch}",
        "gitMajor": major,
        "gitMinor": minor,
    }
    package = "k8s.io/component-base/version"
    return " ".join(f"-X {package}.{name}={value}" for name, value in said.items())
