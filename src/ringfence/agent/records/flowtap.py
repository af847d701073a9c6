"""Logged packets taken from the kernel in a thread, to be told by the loop."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from threading import Thread

from ringfence.adapters.kernel.nflog import Nflog
from ringfence.agent import journal
from ringfence.errors import KernelError
from ringfence.observe.logged import Logged
from ringfence.ruleset.lowering.policychain import LOG_GROUP


class FlowTap:
    """Reads the ruleset's log group and delivers what it logs.

    ``deliver`` is called in the reading thread and says whether it took the packets;
    it must not wait. Raises KernelError where the kernel refuses the group.
    """

    def __init__(self, deliver: Callable[[list[Logged]], bool]) -> None:
        self.refused = 0
        self._deliver = deliver
        self._nflog = Nflog([LOG_GROUP])
        self._ended, self._ending = os.pipe2(os.O_CLOEXEC)
        self._thread = Thread(target=self._read, name="nflog", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> dict[str, int]:
        """How many packets were lost before ("kernel") and after the thread."""
        return {"kernel": self._nflog.lost, "loop": self.refused}

    def close(self) -> None:
        """End the thread and the subscription."""
        os.write(self._ending, b"\0")
        self._thread.join()
        self._nflog.close()
        os.close(self._ended)
        os.close(self._ending)

    def _read(self) -> None:
        waiting = select.poll()
        waiting.register(self._nflog, select.POLLIN)
        waiting.register(self._ended, select.POLLIN)
        while not any(descriptor == self._ended for descriptor, _ in waiting.poll()):
            try:
                packets = self._nflog.read()
            except KernelError as error:
                journal.error("the flow log has ended", words=str(error))
                return
            if packets and not self._deliver(packets):
                self.refused += len(packets)
