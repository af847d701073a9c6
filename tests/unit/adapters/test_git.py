"""Manifests of a commit, from real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ringfence.adapters.inputs.git import Commit
from ringfence.errors import InputError
from ringfence.manifest.reader import Document

POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s}}\n"


def git(directory: Path, *words: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    command = ("git", "-C", str(directory), *identity, *words)
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    files = {
        "deploy/a.yaml": POD % "a",
        "deploy/notes.txt": "no manifest",
        "deploy/below/b.yaml": POD % "b",
        "deploy/.hidden/c.yaml": POD % "c",
        "empty/notes.txt": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "tag", "v1")
    (tmp_path / "deploy/a.yaml").write_text(POD % "changed")
    return tmp_path


def sources(commit: Commit, path: str, *, recursive: bool = False) -> list[str]:
    found = commit.documents(path, recursive=recursive, from_root=True, named=True)
    return [document.source for document in found]


def name(document: Document) -> str:
    assert isinstance(document.value, dict)
    return str(document.value["metadata"]["name"])


def problem(error: pytest.ExceptionInfo[InputError]) -> str:
    (only,) = error.value.problems
    return str(only)


def test_a_file_is_read_as_the_commit_has_it(repository: Path) -> None:
    (document,) = Commit("v1", str(repository)).documents(
        "deploy/a.yaml", recursive=False, from_root=True, named=False
    )
    assert document.source == "deploy/a.yaml"
    assert isinstance(document.value, dict)
    assert document.value["metadata"] == {"name": "a"}


def test_a_directory_is_read_as_with_f(repository: Path) -> None:
    commit = Commit("main", str(repository))
    assert sources(commit, "deploy") == ["main:deploy/a.yaml"]
    assert sources(commit, "deploy", recursive=True) == [
        "main:deploy/a.yaml",
        "main:deploy/below/b.yaml",
    ]


def test_a_path_may_start_where_the_user_stands(repository: Path) -> None:
    commit = Commit("v1", str(repository / "deploy"))
    found = commit.documents("below", recursive=False, from_root=False, named=False)
    assert [document.source for document in found] == ["below/b.yaml"]


def test_a_ref_that_is_not_there_gets_near_names(repository: Path) -> None:
    with pytest.raises(InputError) as error:
        Commit("mian", str(repository))
    assert problem(error) == (
        "mian: the repository has no such branch, tag or commit (did you mean main?)"
    )


def test_a_ref_is_never_an_option_of_git(repository: Path) -> None:
    with pytest.raises(InputError):
        Commit("--all", str(repository))


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no git repository"):
        Commit("main", str(tmp_path))


def test_a_repository_that_git_refuses_is_refused_in_its_words(
    repository: Path,
) -> None:
    (repository / ".git/config").write_text("[core\n")
    with pytest.raises(InputError) as error:
        Commit("main", str(repository))
    assert problem(error).startswith("main: bad config line")


def test_a_path_that_the_commit_lacks_is_named(repository: Path) -> None:
    commit = Commit("v1", str(repository))
    with pytest.raises(InputError) as error:
        sources(commit, "deplo")
    assert problem(error) == (
        "v1:deplo: the commit has no such path (did you mean deploy?)"
    )
    with pytest.raises(InputError) as error:
        sources(commit, "deploy/below/bb.yaml")
    assert problem(error).endswith("(did you mean deploy/below/b.yaml?)")
    with pytest.raises(InputError) as error:
        sources(commit, "")
    assert problem(error).endswith("(there are some in directories below: add -R)")
    with pytest.raises(InputError) as error:
        sources(commit, "empty")
    assert "no manifest in this directory" in problem(error)


def test_a_whole_tree_can_be_written_out(repository: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    Commit("v1", str(repository)).export(str(target))
    assert (target / "deploy/a.yaml").read_text() == POD % "a"


def test_the_whole_tree_is_written_out_from_below_its_top(
    repository: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    commit = Commit("v1", str(repository / "deploy/below"))
    commit.export(str(target))
    assert (target / "deploy/a.yaml").read_text() == POD % "a"
    assert (target / commit.prefix() / "b.yaml").exists()


def link(repository: Path, **targets: str) -> Commit:
    """Commit links to these targets, beside deploy/a.yaml."""
    for stem, target in targets.items():
        (repository / f"deploy/{stem}.yaml").symlink_to(target)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "links")
    return Commit("HEAD", str(repository))


def test_links_inside_a_commit_are_followed(repository: Path) -> None:
    commit = link(repository, way="below/b.yaml", round="../deploy/way.yaml")
    found = commit.documents("deploy", recursive=False, from_root=True, named=False)
    names = [(one.source, name(one)) for one in found]
    assert names == [
        ("deploy/a.yaml", "changed"),
        ("deploy/round.yaml", "b"),
        ("deploy/way.yaml", "b"),
    ]
    below = Commit("HEAD", str(repository / "deploy"))
    (alone,) = below.documents(
        "way.yaml", recursive=False, from_root=False, named=False
    )
    assert name(alone) == "b"


def test_links_that_lead_to_no_file_are_passed_over_as_with_f(repository: Path) -> None:
    commit = link(repository, gone="none.yaml", self="self.yaml", folder="below")
    assert sources(commit, "deploy") == ["HEAD:deploy/a.yaml"]
    with pytest.raises(InputError) as error:
        sources(commit, "deploy/gone.yaml")
    assert problem(error) == "HEAD:deploy/gone.yaml: the link leads to no file"


def test_links_that_lead_out_of_the_commit_are_all_named(repository: Path) -> None:
    commit = link(repository, out="/etc/x.yaml", up="../../y.yaml")
    with pytest.raises(InputError) as error:
        sources(commit, "deploy")
    assert list(map(str, error.value.problems)) == [
        "HEAD:deploy/out.yaml: the link leads out of the commit, to /etc/x.yaml",
        "HEAD:deploy/up.yaml: the link leads out of the commit, to ../y.yaml",
    ]


@pytest.mark.parametrize(
    ("target", "leads_out"),
    [
        ("a.yaml", False),
        ("../deploy/a.yaml", False),
        ("/etc/passwd", True),
        ("../../secret", True),
        ("here/../../../secret", True),
    ],
)
def test_a_link_that_leads_out_of_the_tree_is_left_out_of_what_programs_see(
    target: str, leads_out: bool, repository: Path, tmp_path: Path
) -> None:
    (repository / "deploy" / "link.yaml").symlink_to(target)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "a link")
    commit, written = Commit("HEAD", str(repository)), tmp_path / "out"
    written.mkdir()
    commit.export(str(written))
    assert (written / "deploy/a.yaml").is_file()
    assert (written / "deploy/link.yaml").is_symlink() is not leads_out
