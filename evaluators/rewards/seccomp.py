"""The system calls that a reward function keeps: to compute, to read its call, to write its answer. No other.

An allow-list; everything else answers EPERM: files, processes, signals, sockets, namespaces, new executable memory.
Descriptor 0 can be read, 1 be written, nothing else. Numbers are from the kernel's tables for x86-64 and arm64.
"""

import errno
import platform
import struct

from core.errors import PrerequisiteError

READ, WRITE = "read", "write"
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FREE = {
    "x86_64": {"munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24}
    | {"mremap": 25, "madvise": 28, "nanosleep": 35, "exit": 60, "gettimeofday": 96, "sigaltstack": 131, "time": 201}
    | {"futex": 202, "clock_gettime": 228, "clock_nanosleep": 230, "exit_group": 231, "getrandom": 318},
    "aarch64": {"exit": 93, "exit_group": 94, "futex": 98, "nanosleep": 101, "clock_gettime": 113}
    | {"clock_nanosleep": 115, "sched_yield": 124, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135}
    | {"rt_sigreturn": 139, "gettimeofday": 169, "brk": 214, "munmap": 215, "mremap": 216, "madvise": 233}
    | {"getrandom": 278},
}
_READ = {"x86_64": 0, "aarch64": 63}
_WRITE = {"x86_64": 1, "aarch64": 64}
_MAPS = {"x86_64": (9, 10), "aarch64": (222, 226)}
"""mmap and mprotect, whose third argument is the protection."""
_PROT_EXEC = 4

_LOAD, _EQUAL, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCH, _FIRST, _THIRD = 0, 4, 16, 32
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM


def program(machine: str | None = None) -> bytes:
    """The filter as `struct sock_filter[]`, in this machine's byte order.

    Raises:
        PrerequisiteError: there is none for this processor, so that no reward function can be run here.
    """
    machine = machine or platform.machine()
    if machine not in _AUDIT_ARCH:
        raise PrerequisiteError(f"reward functions cannot be run on {machine}: use x86_64 or aarch64")
    lines = [_op(_LOAD, _ARCH), _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, _NUMBER)]
    for number in _FREE[machine].values():
        lines += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _ALLOW)]
    lines += _on_argument(_READ[machine], _FIRST, _op(_EQUAL, 0, 1, 0))
    lines += _on_argument(_WRITE[machine], _FIRST, _op(_EQUAL, 1, 1, 0))
    for number in _MAPS[machine]:
        lines += _on_argument(number, _THIRD, _op(_HAS_BITS, _PROT_EXEC, 0, 1))
    return b"".join([*lines, _op(_RETURN, _FAIL)])


def _on_argument(number: int, argument: int, test: bytes) -> list[bytes]:
    """For one call: load an argument; EPERM unless the test jumps over that, else allow."""
    return [_op(_EQUAL, number, 0, 4), _op(_LOAD, argument), test, _op(_RETURN, _FAIL), _op(_RETURN, _ALLOW)]


def _op(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, k)
