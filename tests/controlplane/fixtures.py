"""Fixtures for tests that talk to a real API server; a conftest imports them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.build import NoToolchainError, programs
from controlplane.servers import ControlPlane, control_plane


@pytest.fixture(scope="session")
def built() -> Path:
    """The directory with kube-apiserver, etcd and kubectl."""
    try:
        return programs()
    except NoToolchainError as error:
        pytest.skip(f"kube-apiserver is built from source: {error}")


@pytest.fixture
def kustomizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a program that builds kustomizations: kubectl from source if need be."""
    if not (shutil.which("kustomize") or shutil.which("kubectl")):
        folder = request.getfixturevalue("built")
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.fixture(scope="session")
def kubectl(built: Path) -> Path:
    """The program kubectl."""
    return built / "kubectl"


@pytest.fixture(scope="session")
def api_server(
    built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A kube-apiserver with etcd, shared by the tests of a session."""
    with control_plane(built, tmp_path_factory.mktemp("controlplane")) as plane:
        yield plane


@pytest.fixture
def plane(api_server: ControlPlane) -> Iterator[ControlPlane]:
    """The API server, emptied after the test."""
    yield api_server
    api_server.clear()
