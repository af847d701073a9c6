"""``python -m ringfence``, and the three programs that installing it makes."""

from __future__ import annotations

import sys

from ringfence.cli.main import ringfence, run


def main() -> None:
    """Run as ``ringfence``, or as ``kubectl ringfence`` where kubectl calls us."""
    called = sys.argv[0].rpartition("/")[2]
    program = "kubectl ringfence" if called.startswith("kubectl-") else "ringfence"
    sys.exit(run(program, sys.argv[1:]))


def complete() -> None:
    """Answer a shell, or kubectl, that asks how a word may go on."""
    from ringfence.cli.completion import candidates  # noqa: PLC0415 - only here

    for line in candidates(ringfence, sys.argv[1:]):
        print(line)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
