"""``python -m ringfence``, and the three programs that installing it makes."""

from __future__ import annotations

import io
import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """Run as ``ringfence``, or as ``kubectl ringfence`` where kubectl calls us."""
    called = sys.argv[0].rpartition("/")[2]
    program = "kubectl ringfence" if called.startswith("kubectl-") else "ringfence"
    try:
        _settle_streams()
        from ringfence.cli.main import run  # noqa: PLC0415 - it takes a while

        code = run(program, sys.argv[1:])
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


def _settle_streams() -> None:
    """Have streams that only fail when they are used, and not for a letter.

    Of one that the caller closed Python makes None, and its number would go to the
    next file that is opened.
    """
    if sys.stdin is None:
        sys.stdin = _useless(0, os.O_WRONLY, "r")
    if sys.stdout is None:
        sys.stdout = _useless(1, os.O_RDONLY, "w")
    if sys.stderr is None:
        sys.stderr = _useless(2, os.O_WRONLY, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _useless(number: int, flags: int, mode: str) -> io.TextIOWrapper:
    """Return a stream that the system refuses to use, but for what goes nowhere."""
    descriptor = os.open(os.devnull, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    return io.TextIOWrapper(io.FileIO(number, mode, closefd=False))


def complete() -> None:
    """Answer a shell, or kubectl, that asks how a word may go on."""
    from ringfence.cli.completion import candidates  # noqa: PLC0415 - only here
    from ringfence.cli.main import ringfence  # noqa: PLC0415

    for line in candidates(ringfence, sys.argv[1:]):
        print(line)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
