"""Sources: files, directories, standard input, and what can be wrong with them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ringfence.adapters.inputs.files import WORTH_SHARING, read_sources
from ringfence.errors import InputError, Problem
from ringfence.manifest.reader import Document, PartlyReadError, read_documents

POD = "kind: Pod\nmetadata: {name: %s}\n"


def read(
    *paths: Path | str, recursive: bool = False, stdin: bytes = b""
) -> list[Document]:
    return read_sources(
        [str(path) for path in paths], recursive=recursive, stdin=io.BytesIO(stdin)
    )


def problems(*paths: Path | str, recursive: bool = False) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        read(*paths, recursive=recursive)
    return caught.value.problems


def manifest(path: Path, name: str = "web") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(POD % name)
    return path


@contextmanager
def without_root() -> Iterator[None]:
    """Be nobody for a block where we are root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_directory_gives_its_manifests_sorted_and_nothing_else(
    tmp_path: Path,
) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "notes.md", "below/d.yaml"):
        manifest(tmp_path / name)
    found = [document.source for document in read(tmp_path)]
    assert found == [f"{tmp_path}/{name}" for name in ("a.yml", "b.yaml", "c.json")]


def test_recursive_reads_below_but_not_hidden_directories(tmp_path: Path) -> None:
    for name in ("a.yaml", "below/b.yaml", "below/deep/c.yaml", ".git/d.yaml"):
        manifest(tmp_path / name)
    found = [Path(d.source).name for d in read(tmp_path, recursive=True)]
    assert found == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    manifest(tmp_path / "below/a.yaml")
    (tmp_path / "below/up").symlink_to(tmp_path)
    assert len(read(tmp_path, recursive=True)) == 1


def test_sources_keep_the_name_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(tmp_path / "dir/a.yaml")
    monkeypatch.chdir(tmp_path)
    assert [d.source for d in read("./dir/a.yaml")] == ["./dir/a.yaml"]
    assert [d.source for d in read("dir")] == ["dir/a.yaml"]


def test_a_dash_is_standard_input() -> None:
    (document,) = read("-", stdin=(POD % "web").encode())
    assert document.source == "-"
    assert document.value == {"kind": "Pod", "metadata": {"name": "web"}}


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    path = manifest(tmp_path / "a.yaml")
    assert len(read(path, tmp_path, path)) == 1


def test_a_pipe_is_read_like_a_file() -> None:
    script = (
        "import io, sys; from ringfence.adapters.inputs.files import read_sources;"
        "print(read_sources(sys.argv[1:], recursive=False, stdin=io.BytesIO()))"
    )
    command = ["bash", "-c", '"$0" -c "$1" <(echo "kind: Pod")', sys.executable, script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "'kind': 'Pod'" in done.stdout


def test_a_missing_file_gets_the_nearest_name(tmp_path: Path) -> None:
    manifest(tmp_path / "policies.yaml")
    (problem,) = problems(tmp_path / "polices.yaml")
    assert problem.place == f"{tmp_path}/polices.yaml"
    assert problem.message == "no such file or directory"
    assert problem.hint == f"did you mean {tmp_path}/policies.yaml?"


def test_a_directory_without_manifests_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path)
    assert "no manifest in this directory" in problem.message
    assert problem.hint == ""


def test_manifests_further_below_are_hinted_at(tmp_path: Path) -> None:
    manifest(tmp_path / "below/a.yaml")
    (problem,) = problems(tmp_path)
    assert "-R" in problem.hint


def test_the_problems_of_all_sources_come_together(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "binary.yaml").write_bytes(b"\x7fELF\0\0\xff")
    found = problems(tmp_path / "gone.yaml", tmp_path, "https://example.org/a.yaml")
    places = " ".join(problem.place for problem in found)
    for part in ("gone.yaml", "bad.yaml:", "binary.yaml", "https://example.org"):
        assert part in places


def test_nothing_to_read_is_a_problem(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n---\n")
    (problem,) = problems(empty)
    assert str(problem) == f"{empty}: there is no object to read"


def test_an_empty_file_among_others_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    manifest(tmp_path / "b.yaml")
    assert len(read(tmp_path)) == 1


def test_a_file_that_may_not_be_read_is_a_problem() -> None:
    # Not in tmp_path: nobody may not even enter the folders above that.
    with TemporaryDirectory() as folder:
        path = manifest(Path(folder) / "a.yaml")
        path.chmod(0)
        path.parent.chmod(0o755)
        with without_root():
            (problem,) = problems(path)
    assert problem.message == "permission denied"


def test_what_is_below_a_directory_is_no_problem_unless_asked_for() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "below").mkdir(0)
        with without_root():
            (flat,), (deep,) = problems(folder), problems(folder, recursive=True)
    assert flat.message.startswith("no manifest in this directory")
    assert deep.message == "permission denied"


def test_a_file_without_end_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ringfence.adapters.inputs.files.MOST_BYTES", 1024)
    (problem,) = problems("/dev/zero")
    assert "too large" in problem.message


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")
    (problem,) = problems(path)
    assert problem.place == f"{tmp_path}/\\xff.yaml"


def test_a_large_source_is_read_as_a_small_one_is(tmp_path: Path) -> None:
    parts = [POD % f"web-{number}" for number in range(WORTH_SHARING // 30)]
    parts[7] = parts[-7] = "kind: [\n"
    data = "---\n".join(parts).encode()
    assert len(data) > WORTH_SHARING
    path = tmp_path / "large.yaml"
    path.write_bytes(data)
    with pytest.raises(PartlyReadError) as shared:
        read(path)
    with pytest.raises(PartlyReadError) as alone:
        read_documents(data, str(path))
    assert shared.value.problems == alone.value.problems
    assert len(shared.value.problems) == 2
    for ours, theirs in zip(shared.value.documents, alone.value.documents, strict=True):
        assert (ours.index, ours.value) == (theirs.index, theirs.value)
    assert str(ours.position(("metadata",))) == str(theirs.position(("metadata",)))
