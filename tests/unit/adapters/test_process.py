"""Programs end in time or are an error."""

from __future__ import annotations

import os

import pytest

from ringfence.adapters.process import find_program, one_cpu, run_program
from ringfence.errors import KernelError


def test_a_program_gets_its_text_and_says_its_own() -> None:
    ended = run_program(["sh", "-c", "cat; echo no >&2; exit 3"], "in", timeout_s=10)
    assert ended == (3, "in", "no\n")


def test_a_program_that_does_not_end_is_an_error() -> None:
    with pytest.raises(KernelError, match=r"sleep did not end within 0\.05 s"):
        run_program(["sleep", "10"], "", timeout_s=0.05)


def test_a_program_that_cannot_start_is_an_error() -> None:
    with pytest.raises(KernelError, match="cannot run /nowhere/nft: No such file"):
        run_program(["/nowhere/nft"], "", timeout_s=1)


def test_programs_are_found_where_an_ordinary_users_path_does_not_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_program("sh") is None
    assert find_program("ip") in {"/usr/sbin/ip", "/sbin/ip"}


def test_a_thread_stays_on_one_cpu_for_a_block() -> None:
    before = os.sched_getaffinity(0)
    with one_cpu():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
