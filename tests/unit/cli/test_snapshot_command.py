"""``ringfence snapshot`` and the sources that other commands read."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringfence.cli.main import run
from ringfence.cli.options import Exit

COMMAND = [sys.executable, "-m", "ringfence", "snapshot", "-f", "web.yaml", "-o"]
POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s, labels: {v: '%s'}}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web.yaml").write_text(POD % ("web", 1))
    (tmp_path / "new.yaml").write_text(POD % ("web", 2))
    return tmp_path


def names(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert run("ringfence", ["get", "pods", "-o", "name", *words]) == Exit.OK
    return capsys.readouterr().out.split()


def test_a_snapshot_is_read_where_manifests_are(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ringfence", ["snapshot", "-f", "web.yaml", "-o", "s.gz"]) == Exit.OK
    assert names(capsys, "--snapshot", "s.gz") == ["default/web"]
    assert run("ringfence", ["snapshot", "--snapshot", "s.gz", "-o", "t.gz"]) == Exit.OK
    assert (here / "t.gz").read_bytes() == (here / "s.gz").read_bytes()


def test_what_a_file_held_stays_until_a_snapshot_is_whole(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = here / "s.gz"
    target.write_bytes(b"before")
    target.chmod(0o640)
    there = {path.name for path in here.iterdir()}
    full = ["bash", "-c", 'ulimit -f 0; exec "$@"', "-"]
    ended = subprocess.run([*full, *COMMAND, "s.gz"], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (Exit.USAGE, b"")
    assert b"file too large" in ended.stderr.lower()
    assert target.read_bytes() == b"before"
    subprocess.run([*COMMAND, "s.gz"], check=True)
    assert names(capsys, "--snapshot", "s.gz") == ["default/web"]
    assert target.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in here.iterdir()} == there


@pytest.mark.usefixtures("here")
def test_a_snapshot_that_cannot_be_written_is_told_by_the_name_given() -> None:
    ended = subprocess.run([*COMMAND, "none/s.gz"], capture_output=True, check=False)
    assert ended.returncode == Exit.USAGE
    assert ended.stderr == b"error: none/s.gz: No such file or directory\n"


def test_a_file_that_we_may_not_write_to_is_not_replaced(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = here / "s.gz"
    target.touch()
    before = target.stat().st_ino
    words = ["snapshot", "-f", "web.yaml", "-o", "s.gz"]
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != target)
    run("ringfence", words)
    assert target.stat().st_ino == before
    monkeypatch.undo()
    monkeypatch.setattr("os.geteuid", lambda: target.stat().st_uid + 1)
    monkeypatch.chdir(here)
    run("ringfence", words)
    assert target.stat().st_ino == before


@pytest.mark.usefixtures("here")
def test_a_snapshot_goes_into_what_cannot_be_replaced() -> None:
    os.mkfifo("pipe")
    with subprocess.Popen([*COMMAND, "pipe"]) as running:
        data = Path("pipe").read_bytes()
    assert running.returncode == Exit.OK
    assert data.startswith(b"\x1f\x8b")
    assert Path("pipe").is_fifo()


@pytest.mark.usefixtures("here")
def test_a_snapshot_comes_through_a_pipe(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("ringfence", ["snapshot", "-f", "web.yaml", "-o", "-"]) == Exit.OK
    piped = io.TextIOWrapper(io.BytesIO(capfdbinary.readouterr().out))
    monkeypatch.setattr("sys.stdin", piped)
    words = ["get", "pods", "-o", "name", "--snapshot", "-"]
    assert run("ringfence", words) == Exit.OK
    assert capfdbinary.readouterr().out == b"default/web\n"


@pytest.mark.usefixtures("here")
def test_a_snapshot_given_as_manifests_is_told_its_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("ringfence", ["snapshot", "-f", "web.yaml", "-o", "s.gz"]) == Exit.OK
    assert run("ringfence", ["get", "pods", "-f", "s.gz"]) == Exit.USAGE
    assert capsys.readouterr().err == (
        "error: s.gz: this is compressed "
        "(a snapshot is read by --snapshot, anything else unpacked)\n"
    )


@pytest.mark.usefixtures("here")
def test_an_object_given_twice_is_an_error_unless_layers_overlay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["-f", "web.yaml", "-f", "new.yaml"]
    assert run("ringfence", ["get", "pods", *words]) == Exit.USAGE
    assert "declared twice" in capsys.readouterr().err
    assert names(capsys, *words, "--overlay", "-l", "v=2") == ["default/web"]
    assert names(capsys, *words, "--overlay", "-l", "v=1") == []


@pytest.mark.usefixtures("here")
def test_sources_of_several_kinds_overlay_in_the_order_of_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("ringfence", ["snapshot", "-f", "web.yaml", "-o", "s.gz"])
    snapshot, file = ("--snapshot", "s.gz"), ("-f", "new.yaml")
    later = ("--overlay", "-l", "v=2")
    assert names(capsys, *snapshot, *file, *later) == ["default/web"]
    assert names(capsys, *file, *snapshot, *later) == []


def test_an_overlay_that_removes_what_is_not_there_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removal = "{apiVersion: v1, kind: Pod, metadata: {name: wep}, $patch: delete}"
    (here / "gone.yaml").write_text(removal)
    words = ["-f", "web.yaml", "-f", "gone.yaml", "--overlay"]
    assert run("ringfence", ["get", "pods", *words]) == Exit.USAGE
    assert "did you mean web?" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_file_named_twice_is_read_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert names(capsys, "-f", "web.yaml", "-f", "./web.yaml") == ["default/web"]


@pytest.mark.usefixtures("here")
def test_git_sources_say_what_they_lack(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ringfence", ["get", "pods", "--git", "main"]) == Exit.USAGE
    assert "must be REF:PATH" in capsys.readouterr().err
