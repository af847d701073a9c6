"""eBPF programs on links, asked of the kernel itself: bpf(2), BPF_PROG_QUERY.

Programs of tcx (Linux 6.6) and netkit (6.7) are seen by no option of ip or tc.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_CALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
"""The number of bpf(2) by machine (arch/*/syscall.tbl, asm-generic/unistd.h)."""

_PROG_QUERY = 16  # linux/bpf.h, enum bpf_cmd
_ATTACH = {
    "tcx ingress": 46,
    "tcx egress": 47,
    "netkit primary": 54,
    "netkit peer": 55,
}
"""linux/bpf.h, enum bpf_attach_type."""

_QUERY = struct.Struct("=IIIIQIxxxxQ")  # target_ifindex ... prog_attach_flags
_COUNT = 5
_NONE = frozenset(
    {errno.EINVAL, errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP}
)
"""The kernel is older than the kind of attachment, or the link of another kind."""

_libc = ctypes.CDLL(None, use_errno=True)


def attached(number: int) -> list[str]:
    """Return where programs are attached to a link: ``tcx ingress``, ...

    Raises OSError where the kernel does not say, EPERM without CAP_NET_ADMIN.
    """
    return [place for place, kind in _ATTACH.items() if _count(number, kind)]


def _count(number: int, kind: int) -> int:
    call = _CALLS.get(platform.machine())
    if call is None:
        raise OSError(errno.ENOSYS, f"bpf(2) of {platform.machine()} is not known here")
    query = ctypes.create_string_buffer(_QUERY.pack(number, kind, 0, 0, 0, 0, 0), 64)
    if _libc.syscall(call, _PROG_QUERY, query, _QUERY.size) == 0:
        return int(_QUERY.unpack_from(query.raw)[_COUNT])
    code = ctypes.get_errno()
    if code in _NONE:
        return 0
    raise OSError(code, os.strerror(code))
