"""The rule of the build machine: a test that is skipped has failed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SUBJECTS = {
    "a test that skips itself": (
        "import pytest\ndef test_it(): pytest.skip('no root')\n"
    ),
    "a mark that skips": (
        "import pytest\n"
        "@pytest.mark.skipif(True, reason='no root')\n"
        "def test_it(): pass\n"
    ),
    "a module that skips itself": (
        "import pytest\npytest.skip('no root', allow_module_level=True)\n"
    ),
}
EXPECTED_FAILURE = (
    "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): assert False\n"
)


def run_pytest(folder: Path, source: str, ci: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "test_it.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", ".", "-c", "/dev/null"],
        cwd=folder,
        env={"CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("source", SUBJECTS.values(), ids=SUBJECTS)
def test_a_skip_fails_where_ci_is_set(tmp_path: Path, source: str) -> None:
    run = run_pytest(tmp_path, source, ci="true")
    assert run.returncode in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
    assert "must not be skipped where CI is set: " in run.stdout
    assert "no root" in run.stdout


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, SUBJECTS["a mark that skips"], ci="")
    assert run.returncode == pytest.ExitCode.OK
    assert "1 skipped" in run.stdout


def test_a_reason_is_told_once_for_all_its_tests(tmp_path: Path) -> None:
    source = "import pytest\n" + "".join(
        f"@pytest.mark.skipif(True, reason='no root')\ndef test_{name}(): pass\n"
        for name in "ab"
    )
    run = run_pytest(tmp_path, source, ci="")
    assert run.stdout.count("no root") == 1
    assert "SKIPPED [2] no root\n" in run.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, EXPECTED_FAILURE, ci="true")
    assert run.returncode == pytest.ExitCode.OK
    assert "1 xfailed" in run.stdout
