"""The agent's process: what it is made of, how it begins and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from queue import Empty, Full, Queue
from urllib.parse import urlsplit

from ringfence.adapters.kubernetes.kubeconfig import Access, Choice, choose_access
from ringfence.adapters.kubernetes.reflector import Reflector
from ringfence.agent import journal
from ringfence.agent.config import Config
from ringfence.agent.health import Health, HealthServer
from ringfence.agent.loop import Inbox, Loop, Stop
from ringfence.agent.metrics import Metrics
from ringfence.errors import KernelError
from ringfence.model.flow import IPAddress

INBOX = 20_000
"""Messages that may wait; whoever brings more waits with them."""

_ENDING = (signal.SIGTERM, signal.SIGINT)
_PATIENCE_S, _TURN_S = 5.0, 0.05
_ENOUGH_S = 0.5
_SEAT = "\0ringfence-agent"
_PAGE = os.sysconf("SC_PAGE_SIZE")


def serve(config: Config) -> None:
    """Enforce on this node until SIGTERM or SIGINT; the rules stay.

    Raises InputError for a wrong kubeconfig or address, KernelError where this kernel
    cannot be programmed or another agent has the node.
    """
    # Before any thread is made: they inherit it, and the signals wait for us.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    access = cluster_access(config)
    health = Health(node=config.node, mode=config.mode.value)
    metrics = Metrics()
    inbox: Inbox = Queue(INBOX)

    def exposition() -> bytes:
        metrics.memory.set(resident_bytes())
        return metrics.exposition()

    with ExitStack() as life:
        if not life.enter_context(_only_agent()):
            return
        # The loop says what is wanted before anybody can ask whether it is there.
        loop = Loop(config, inbox, health, metrics, server_addresses(access))
        life.enter_context(HealthServer(config.listen, health, exposition))
        reflector = Reflector(access, inbox)
        threading.excepthook = _log_failure
        thread = threading.Thread(target=loop.run, name="loop", daemon=True)
        thread.start()
        reflector.start()
        journal.info("agent started", node=config.node, mode=config.mode.value)
        said = _wait(lambda: thread.is_alive() and reflector.alive)
        journal.info("agent ends, the rules stay", signal=said)
        _stop(inbox)
        reflector.stop()
        thread.join(_ENOUGH_S)


def cluster_access(config: Config) -> Access:
    """Return how the API server is reached: as said, the pod's own way, or kubectl's.

    Raises InputError where the kubeconfig is wrong or there is none.
    """
    choice = Choice(kubeconfig=config.kubeconfig, context=config.context)
    return choose_access(choice, os.environ)


def server_addresses(access: Access) -> tuple[IPAddress, ...]:
    """Return the API server's address, where its URL says one and not a name."""
    try:
        return (ip_address(urlsplit(access.server.url).hostname or ""),)
    except ValueError:
        return ()


def resident_bytes() -> int:
    """Return the resident memory of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


@contextmanager
def _only_agent() -> Iterator[bool]:
    """Be the only agent of this network namespace. Raises KernelError if it is not.

    Yields False where a signal came before the other one had ended. The name of an
    abstract socket is one namespace's, and gone with its owner.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as seat:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                seat.bind(_SEAT)
                break
            except OSError:
                if time.monotonic() > deadline:
                    message = "another ringfence agent enforces on this node; end it"
                    raise KernelError(message) from None
                if signal.sigtimedwait(_ENDING, _TURN_S) is not None:
                    yield False
                    return
        yield True


def _wait(lives: Callable[[], bool]) -> str:
    """Wait for a signal; raises KernelError once a thread that matters has ended."""
    while lives():
        found = signal.sigtimedwait(_ENDING, 1.0)
        if found is not None:
            return signal.Signals(found.si_signo).name
    raise KernelError("a thread of the agent has failed; its log says which and why")


def _stop(inbox: Inbox) -> None:
    """Have the loop end after what it is doing, however much waits for it."""
    while True:
        try:
            inbox.put_nowait(Stop())
            break
        except Full:
            # Nobody needs these any more: the next agent lists everything anew.
            with suppress(Empty):
                inbox.get_nowait()


def _log_failure(failure: threading.ExceptHookArgs) -> None:
    """Log what ended a thread."""
    name = failure.thread.name if failure.thread else ""
    journal.failure("a thread of the agent failed", failure.exc_value, thread=name)
