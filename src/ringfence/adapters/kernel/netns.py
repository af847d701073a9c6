"""Linux namespaces by system call: own ones made, entered, and left to die.

Namespaces are held by file descriptors, never by names below /run, so nothing
has to be cleaned up: the kernel frees a namespace with its last holder.
Python 3.11 has neither ``os.unshare`` nor ``os.setns``, hence ctypes.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from ringfence.errors import KernelError

# linux/sched.h, linux/prctl.h, linux/mount.h
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_MS_REC_PRIVATE = 0x4000 | 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int | bytes | None) -> None:
    """Call a libc function that answers 0; raises OSError with its errno."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends.

    A change of credentials clears it (prctl(2)), so call it after ``isolate``.
    """
    _call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def isolate() -> None:
    """Leave the host: own PID (for children), mount and network namespaces.

    Without the privilege for that, a user namespace grants it, in which the
    caller is root. Raises KernelError with what would help.
    """
    own = _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET
    try:
        _call("unshare", own)
    except PermissionError:
        _isolate_as_user(own)
    except OSError as error:
        raise KernelError(f"cannot make namespaces: {error.strerror}") from error
    _call("mount", b"none", b"/", None, _MS_REC_PRIVATE, None)


def _isolate_as_user(own: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    try:
        _call("unshare", _CLONE_NEWUSER | own)
        # An unprivileged gid_map is only accepted without setgroups(2).
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    except OSError as error:
        raise KernelError(
            f"cannot make a user namespace ({error.strerror}): {_remedy()}"
        ) from error


_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", 1),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", 0),
    ("user/max_user_namespaces", "0", 15000),
)


def _remedy() -> str:
    """Say which switch of this machine is off, or that root needs none."""
    for name, off, on in _SWITCHES:
        switch = Path("/proc/sys", name)
        if switch.exists() and switch.read_text(encoding="ascii").strip() == off:
            wanted = f"{name.replace('/', '.')}={on}"
            return f"switch them on with `sudo sysctl {wanted}`, or run as root"
    return "run as root, or outside the container that forbids them"


def mount_proc() -> None:
    """Show this PID namespace, and writable sysctls, at /proc where allowed.

    A container may forbid it; the /proc that is there then has to serve.
    """
    try:
        _call("mount", b"proc", b"/proc", b"proc", 0, None)
    except PermissionError:
        return


class NetworkNamespace:
    """A network namespace held by a descriptor."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def create(cls) -> NetworkNamespace:
        """Make a new namespace; the calling thread is then inside it."""
        try:
            _call("unshare", _CLONE_NEWNET)
        except OSError as error:
            raise KernelError(
                f"cannot make one more network namespace: {error.strerror} "
                "(see sysctl user.max_net_namespaces)"
            ) from error
        return cls.current()

    @classmethod
    def current(cls) -> NetworkNamespace:
        """Return the namespace that the calling thread is in."""
        return cls(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    def enter(self) -> None:
        """Move the calling thread into the namespace."""
        _call("setns", self._fd, _CLONE_NEWNET)

    def fileno(self) -> int:
        """Return the descriptor that holds the namespace."""
        return self._fd

    def close(self) -> None:
        """Let go; the kernel frees the namespace and every link in it."""
        os.close(self._fd)


def has_ipv6() -> bool:
    """Whether the kernel speaks IPv6 at all."""
    return Path("/proc/sys/net/ipv6").exists()


def set_sysctl(name: str, value: int) -> None:
    """Write ``net/...`` of the network namespace that the thread is in."""
    try:
        Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")
    except OSError as error:
        raise KernelError(
            f"cannot set sysctl net/{name} inside the lab: {error.strerror}"
        ) from error
