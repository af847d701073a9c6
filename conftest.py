"""Nothing is skipped quietly; on a build machine a skipped test is a failure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Fail the test that skips itself; an expected failure stays what it is."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Fail the module that skips itself while it is imported."""
    report = yield
    _refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say every reason to skip once: pytest's own lines are one for each test."""
    skipped = Counter(map(_reason, terminalreporter.stats.get("skipped", ())))
    for reason, tests in skipped.most_common():
        terminalreporter.write_line(f"SKIPPED [{tests}] {reason}", yellow=True)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and os.environ.get("CI"):
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = (
            f"{report.nodeid} must not be skipped where CI is set: {reason}"
        )


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # Of a skip pytest keeps (file, line, reason).
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(told).removeprefix("Skipped: ")
