"""The frame: commands, faults, exit codes, colour, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from ringfence import __version__
from ringfence.__main__ import main
from ringfence.cli.completion import candidates
from ringfence.cli.main import guarded, ringfence, run
from ringfence.cli.options import Exit
from ringfence.errors import InputError, KernelError, Problem, RingfenceBug

RED = "\x1b[31m"
BIN = Path(sys.executable).parent


def process(
    *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, **(env or {})},
    )


def raising(fault: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise fault

    return action


def test_without_a_command_the_help_is_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("ringfence", []) == Exit.OK
    out, err = capsys.readouterr()
    assert "matrix" in out
    assert "Exit codes" in out
    assert err == ""


def test_every_command_of_the_help_has_a_summary(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("ringfence", ["-h"])
    out = capsys.readouterr().out
    for name in ("can", "why", "get", "describe", "matrix", "validate", "lab"):
        assert f"\n  {name} " in out


def test_help_speaks_the_name_it_was_called_by(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("kubectl ringfence", ["version", "-h"])
    assert "Usage: kubectl ringfence version" in capsys.readouterr().out


def test_version_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["version"], ["--version"]):
        assert run("ringfence", words) == Exit.OK
        assert capsys.readouterr().out == f"ringfence {__version__}\n"
    assert run("ringfence", ["version", "-o", "json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["version"] == __version__


def test_a_misspelt_command_gets_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("ringfence", ["matrx"]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no command matrx (did you mean matrix?)" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lab"], "a command is needed: run (ringfence lab -h tells more)"),
        (["agent"], "a command is needed: cleanup, install, run, "),
        (["agent", "statsu"], "there is no command statsu (did you mean status?)"),
        (["completion"], "Choose from: bash, zsh, fish (ringfence completion -h"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ringfence", words) == Exit.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert "\\n" not in line


def test_an_unknown_option_names_the_help_to_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("ringfence", ["version", "--otput"]) == Exit.USAGE
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "--output" in err
    assert "ringfence version -h" in err


def test_every_problem_of_bad_input_is_one_line_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problems = [
        Problem("a.yaml:1:2", "must be a string", "metadata.name", 'quote it: "1"'),
        Problem("b.yaml:3:4", "first\nsecond \x1b[2J"),
    ]
    assert guarded(raising(InputError(problems))) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        'error: a.yaml:1:2: metadata.name: must be a string (quote it: "1")',
        r"error: b.yaml:3:4: first\nsecond \x1b[2J",
    ]


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (KernelError("nft is missing"), Exit.USAGE, "error: nft is missing\n"),
        (RingfenceBug("lost a rule"), Exit.BUG, "please report"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, ""),
    ],
)
def test_each_fault_has_its_exit_code_and_no_traceback(
    fault: BaseException,
    code: Exit,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded(raising(fault)) == code
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") <= 1


def test_a_command_says_its_own_exit_code() -> None:
    assert guarded(lambda: Exit.UNDECIDED) == 3


def test_colour_follows_the_option_before_the_environment() -> None:
    program = str(BIN / "ringfence")
    forced = {"FORCE_COLOR": "1", "NO_COLOR": ""}
    assert RED not in process(program, "cna", env={"FORCE_COLOR": ""}).stderr
    assert RED in process(program, "cna", env=forced).stderr
    assert RED not in process(program, "cna", env={**forced, "NO_COLOR": "1"}).stderr
    assert RED not in process(program, "--color", "never", "cna", env=forced).stderr
    assert RED in process(program, "--color", "always", "cna").stderr


class Interrupting(ModuleType):
    """A module that takes long enough to be interrupted."""

    @property
    def run(self) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_before_the_command_has_begun_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ringfence.cli.main", Interrupting("main"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.INTERRUPTED


def test_a_reader_that_goes_away_is_no_fault() -> None:
    script = f'"{BIN}/ringfence" -h | true; echo "${{PIPESTATUS[0]}}"'
    done = process("bash", "-c", script)
    assert done.stderr == ""
    assert done.stdout.strip() in {"0", "141"}


def test_a_full_disk_is_said_in_one_line() -> None:
    done = process("bash", "-c", f'"{BIN}/ringfence" version > /dev/full')
    assert done.returncode == Exit.USAGE
    assert done.stderr == "error: No space left on device\n"


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "labels": {"a": "\ud800"}},
}


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ("matrix -f - <&-", Exit.USAGE, "error: -: bad file descriptor\n"),
        ("matrix -f pod.json >&-", Exit.USAGE, "error: Bad file descriptor\n"),
        ("matrix -f pod.json -o json >&-", Exit.USAGE, "error: Bad file descriptor\n"),
        ("matrix -f pod.json -o csv <&-", Exit.OK, ""),
        ("matrix -f none.yaml 2>&-", Exit.USAGE, ""),
    ],
)
def test_closed_streams_matter_only_where_they_are_used(
    words: str, code: int, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "pod.json").write_text(json.dumps(POD))
    script = f'cd "{tmp_path}"; exec "{BIN}/ringfence" {words}'
    done = process("bash", "-c", script)
    assert (done.returncode, done.stderr) == (code, complaint)


def test_a_letter_that_the_output_cannot_hold_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "pod.json").write_text(json.dumps(POD))
    words = ("matrix", "--by", "class", "-o", "csv", "-f", f"{tmp_path}/pod.json")
    done = process(f"{BIN}/ringfence", *words)
    assert done.stdout.splitlines()[1] == "default/a=\\ud800,0.0.0.0/0+1,all,,"


def test_completion_offers_commands_options_and_choices() -> None:
    assert list(candidates(ringfence, ["vers"])) == ["version\tPrint the version", ":4"]
    assert "--output\tOutput format." in list(candidates(ringfence, ["version", "--"]))
    assert list(candidates(ringfence, ["version", "-o", "j"])) == ["json", ":4"]
    assert list(candidates(ringfence, ["get", "pa"])) == ["paths", ":4"]
    assert next(iter(candidates(ringfence, []))).startswith("can\t")


def test_the_bash_script_completes_through_the_installed_program() -> None:
    script = """
    PATH="$1:$PATH"
    source <(ringfence completion bash)
    COMP_WORDS=(ringfence version -o te) COMP_CWORD=3
    _ringfence
    echo "${COMPREPLY[@]}"
    """
    done = process("bash", "-c", script, "bash", str(BIN))
    assert (done.stdout, done.stderr) == ("text\n", "")


def test_kubectl_is_answered_by_its_own_program() -> None:
    done = process(str(BIN / "kubectl_complete-ringfence"), "completion", "z")
    assert done.stdout == "zsh\n:4\n"
