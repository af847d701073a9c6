"""Following an API server: list and watch, one thread a resource, into one queue.

Source: Kubernetes API concepts (watch, bookmarks, 410 Gone), KEP-3157 (streaming
lists), client-go tools/cache/reflector.go.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Full, Queue
from threading import Event, Thread
from time import monotonic
from typing import Final

from ringfence.adapters.kubernetes.deltas import Changed, Delta, Down, Listed, Up
from ringfence.adapters.kubernetes.kubeconfig import Access
from ringfence.adapters.kubernetes.narrow import (
    Bookmark,
    Line,
    MalformedError,
    decode_bookmark,
    decode_line,
    decode_object,
    decode_page,
    decode_status,
)
from ringfence.adapters.kubernetes.refusals import Asked, RefusedError
from ringfence.adapters.kubernetes.resources import FOLLOWED, Resource
from ringfence.adapters.kubernetes.session import Answer, Session, StoppedError
from ringfence.errors import InputError, Problem
from ringfence.manifest.stored import Stored
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Pod

_STOP_S = 0.4
_POLL_S = 0.1
_SHORT_S = 1.0
_BURST = 256
"""Events that wait together, at most."""
_LONGEST_RETRY_S = 60.0
_FORBIDDEN, _GONE, _TOO_NEW = 403, 410, 504
_OUT_OF_REACH = frozenset({_GONE, _TOO_NEW})
"""The version to go on from is forgotten, or the server has not come to it."""
_DENIALS = frozenset({401, 403})
_PASSING = frozenset({401, 410, 429, 503, 504})


@dataclass(frozen=True, slots=True)
class Pace:
    """How a server is followed; times in seconds.

    ``page``: objects of a page. ``streaming``: lists are asked for as streams where
    the server has them. ``watch``: how long a watch is asked to last, ``slack``: how
    much longer it may be silent. ``first`` and ``longest``: waits after failures,
    ``forbidden``: after a missing right. ``empty``: watches that told nothing, in a
    row, after which the list is taken anew; ``silent``: how long one takes to tell
    nothing that counts for all of them, for the version that it waits for may be one
    that a restored server is far from. ``rest``: how long what is of no hurry waits
    for others.
    """

    page: int = 500
    streaming: bool = True
    watch: float = 290.0
    slack: float = 15.0
    answer: float = 60.0
    first: float = 0.1
    longest: float = 10.0
    forbidden: float = 30.0
    empty: int = 5
    silent: float = 150.0  # servers send a bookmark each minute
    rest: float = 0.02


PACE: Final = Pace()


class Reflector:
    """Threads that follow resources and put what they learn into a queue.

    Of each kind a Listed comes first; then Changed in the order of the server, of
    objects whose facts changed, and a Listed again whenever the server has forgotten
    what came since. Where the queue is full its threads wait, and the server in the
    end: nothing is left out.
    """

    def __init__(
        self,
        access: Access,
        outbox: Queue[Delta],
        *,
        resources: tuple[Resource, ...] = FOLLOWED,
        pace: Pace = PACE,
    ) -> None:
        self._stopping = Event()
        self._session = Session(access, silence_s=pace.answer)
        followers = [
            _Follower(resource, self._session, outbox, self._stopping, pace)
            for resource in resources
        ]
        self._threads = [
            Thread(target=follower.run, name=f"follow-{follower.kind}", daemon=True)
            for follower in followers
        ]

    @property
    def alive(self) -> bool:
        """Whether every resource is still being followed, up or down."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin, once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> bool:
        """End within half a second whatever the server does; whether all did.

        A thread that is left waits for a connection or for a program that logs in,
        delivers nothing any more, and keeps no process from ending.
        """
        self._stopping.set()
        self._session.end()
        end = monotonic() + _STOP_S
        for thread in self._threads:
            thread.join(max(0.0, end - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


class _Follower:
    """One resource: what it is at, and what went wrong on the way."""

    def __init__(
        self,
        resource: Resource,
        session: Session,
        outbox: Queue[Delta],
        stopping: Event,
        pace: Pace,
    ) -> None:
        self.kind = resource.kind
        self._resource = resource
        self._session = session
        self._outbox = outbox
        self._stopping = stopping
        self._pace = pace
        self._streaming = pace.streaming
        self._version = ""
        """Where a watch goes on; empty: there has to be a list first."""
        self._initial: dict[ObjectKey | str, Stored] | None = None
        """What a streaming list has told so far, None outside of one."""
        self._opened = False
        self._failures = 0
        self._quiet = 0
        """Watches in a row that told nothing."""
        self._down = ""
        self._facts: dict[ObjectKey | str, tuple[object, ...]] = {}
        """Those of all objects that are there."""
        self._gathered: list[Changed] = []
        """What a watch told and nobody was told yet."""
        self._rested = False

    def run(self) -> None:
        """List and watch until it is over; where we are at fault, that is told, too."""
        with suppress(StoppedError):
            try:
                while not self._stopping.is_set():
                    begun = monotonic()
                    wait_s = self._turn()
                    if monotonic() - begun < _SHORT_S:
                        # Whoever ends each watch at once is not asked all the time.
                        wait_s = max(wait_s, self._pace.first)
                    self._stopping.wait(wait_s)
            finally:
                if not self._stopping.is_set():
                    self._report(
                        self._fault("are not followed any more: our own fault")
                    )

    def _turn(self) -> float:
        """List if need be and watch until that ends; return how long to wait then."""
        begun = monotonic()
        try:
            if not (self._version or self._streaming):
                self._list()
            self._watch()
        except StoppedError:
            raise
        except RefusedError as error:
            return self._refused(error)
        except InputError as error:
            return self._failed(error)
        except MalformedError as error:
            return self._failed(self._fault(f"came as no JSON: {error}"))
        if self._quiet and monotonic() - begun >= self._pace.silent:
            self._quiet = self._pace.empty
        if self._initial is not None or self._quiet >= self._pace.empty:
            self._forget()
        return self._wait_s(self._quiet)

    def _fault(self, what: str) -> InputError:
        message = f"{self._resource.plural} {what}"
        return InputError([Problem(self._session.place, message)])

    def _list(self) -> None:
        """Take the list page by page: only what is kept of a page outlives it."""
        objects: list[Stored] = []
        query = {"limit": str(self._pace.page)}
        self._opened = False
        while True:
            with self._session.asking(Asked("list", self._resource), query) as answer:
                page = decode_page(answer.body())
            received_at = monotonic()
            objects += [decode_object(self.kind, item) for item in page.items or ()]
            if not page.metadata.following:
                break
            query["continue"] = page.metadata.following
        self._listed(objects, page.metadata.resourceVersion, received_at)

    def _watch(self) -> None:
        """Take what a watch tells, from a streaming list on if there is no version."""
        pace, self._opened = self._pace, False
        self._initial = None if self._version else {}
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(round(pace.watch * random.uniform(0.8, 1))),  # noqa: S311 - spreads load
        }
        if self._initial is None:
            query["resourceVersion"] = self._version
        else:
            query["sendInitialEvents"] = "true"
            query["resourceVersionMatch"] = "NotOlderThan"
        with self._session.asking(
            Asked("watch", self._resource),
            query,
            read_timeout_s=pace.watch + pace.slack,
            plain=True,
        ) as answer:
            self._opened = True
            self._quiet += 1
            if self._initial is None:
                self._up()
            try:
                for line, received_at in answer.lines(partial(self._pause, answer)):
                    self._take(decode_line(line), received_at, answer)
            finally:
                self._tell()

    def _pause(self, answer: Answer) -> None:
        """Tell what was read before more is read.

        A pod that comes, or goes, is several events in a row: those of no hurry wait
        for a moment, since read and told together they cost less. All others are told
        at once, and whatever waits with them.
        """
        if not self._gathered:
            return
        if self._no_hurry():
            if not self._rested:
                self._rested = True
                self._stopping.wait(self._pace.rest)
            if answer.has_more and len(self._gathered) < _BURST:
                return
        self._tell()

    def _no_hurry(self) -> bool:
        """Whether all that has gathered is of pods that went or have no address yet.

        No packets are theirs. Who gets the address of one that went is told at once,
        and in its turn.
        """
        return self.kind == "Pod" and not any(
            isinstance(pod, Pod) and pod.addresses
            for pod in (of.stored and of.stored.value for of in self._gathered)
        )

    def _take(self, line: Line, received_at: float, answer: Answer) -> None:
        match line.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                stored = decode_object(self.kind, line.object)
                self._change(stored, received_at, gone=line.type == "DELETED")
            case "BOOKMARK":
                self._mark(decode_bookmark(line.object), received_at)
            case "ERROR":
                status = decode_status(line.object)
                asked = Asked("watch", self._resource)
                raise answer.connection.refused(asked, status.code, status.message)
            case _:
                pass  # of a newer API: it says nothing of an object
        self._quiet = self._failures = 0

    def _change(self, stored: Stored, received_at: float, *, gone: bool) -> None:
        key = stored.key
        if self._initial is None:
            self._version = stored.version
            facts = None if gone else stored.facts
            if self._facts.get(key) == facts:
                return  # a status, an annotation: most of what happens to a pod
            if facts is None:
                del self._facts[key]
            else:
                self._facts[key] = facts
            left = None if gone else stored
            self._gathered.append(
                Changed(self.kind, key, left, stored.version, received_at)
            )
        elif gone:
            self._initial.pop(key, None)
        else:
            self._initial[key] = stored

    def _mark(self, bookmark: Bookmark, received_at: float) -> None:
        version = bookmark.metadata.resourceVersion
        if self._initial is None:
            self._version = version
        elif bookmark.ends_list:
            objects, self._initial = self._initial.values(), None
            self._listed(objects, version, received_at)
            self._up()
        else:
            # A server that does not know of streaming lists would never end one.
            raise RefusedError([])

    def _listed(
        self, objects: Iterable[Stored], version: str, received_at: float
    ) -> None:
        listed = tuple(objects)
        self._put(Listed(self.kind, listed, version, received_at))
        self._facts = {stored.key: stored.facts for stored in listed}
        self._version = version
        self._failures = 0

    def _refused(self, error: RefusedError) -> float:
        """Return how long to wait after a refusal, of a request or in a watch."""
        if self._initial is not None and error.code not in _PASSING:
            # Refused is the streaming list, by a server that has none.
            self._forget()
            return 0.0
        if error.code in _OUT_OF_REACH:
            self._version = ""
        if error.code == _GONE:
            self._failures += 1
            return self._wait_s(self._failures - 1)
        if error.code == _FORBIDDEN:
            # Until the right is there, lists are all that there is to go by.
            self._version = ""
            self._report(error)
            return self._pace.forbidden * random.uniform(0.8, 1)  # noqa: S311 - spreads load
        return max(self._failed(error), _seconds(error.retry_after))

    def _failed(self, error: InputError) -> float:
        """Return how long to wait after a failure; a watch may just have broken off."""
        self._failures += 1
        if self._quiet >= self._pace.empty:
            self._forget()
        elif self._opened:
            return self._wait_s(self._failures - 1)
        self._report(error)
        return self._wait_s(self._failures)

    def _forget(self) -> None:
        """Have the next turn begin with a list, a plain one if a stream led nowhere."""
        if self._initial is not None:
            self._streaming, self._initial = False, None
        self._version, self._quiet = "", 0

    def _wait_s(self, failures: int) -> float:
        """Return a wait that doubles with each failure in a row; none, none."""
        if not failures:
            return 0.0
        doubled: float = self._pace.first * 2 ** min(failures - 1, 16)
        longest = min(self._pace.longest, doubled)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load

    def _report(self, error: InputError) -> None:
        reason = "; ".join(map(str, error.problems))
        if reason != self._down:
            self._down = reason
            code = error.code if isinstance(error, RefusedError) else 0
            self._put(Down(self.kind, reason, code in _DENIALS))

    def _up(self) -> None:
        if self._down:
            self._down = ""
            self._put(Up(self.kind))

    def _tell(self) -> None:
        """Deliver what has gathered: who waits for it finds it all there."""
        gathered, self._gathered, self._rested = self._gathered, [], False
        for change in gathered:
            self._put(change)

    def _put(self, delta: Delta) -> None:
        """Deliver, once there is room; raises StoppedError where it is over."""
        while not self._stopping.is_set():
            try:
                self._outbox.put(delta, timeout=_POLL_S)
            except Full:
                continue
            return
        raise StoppedError([])


def _seconds(retry_after: str) -> float:
    seconds = float(retry_after) if retry_after.isdecimal() else 0.0
    return min(seconds, _LONGEST_RETRY_S)
