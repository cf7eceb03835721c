"""A filter of system calls for sandboxes: what training never needs and kernel exploits like best is answered EPERM.

A deny-list in the spirit of Docker's default profile, not a proof: calls that are unknown here pass. Numbers are from
the kernel's tables for x86-64 and arm64; on another processor there is no filter (`program` is empty).
"""

import errno
import platform
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COMMON = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "mount_setattr": 442,
}
_DENIED = {
    "x86_64": _COMMON
    | {"ptrace": 101, "pivot_root": 155, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166}
    | {"swapon": 167, "swapoff": 168, "reboot": 169, "init_module": 175, "delete_module": 176, "quotactl": 179}
    | {"kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298}
    | {"open_by_handle_at": 304, "setns": 308, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321}
    | {"userfaultfd": 323},
    "aarch64": _COMMON
    | {"umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89, "unshare": 97}
    | {"kexec_load": 104, "init_module": 105, "delete_module": 106, "ptrace": 117, "reboot": 142, "settimeofday": 170}
    | {"add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "perf_event_open": 241}
    | {"open_by_handle_at": 265, "setns": 268, "kcmp": 272, "finit_module": 273, "bpf": 280, "userfaultfd": 282}
    | {"kexec_file_load": 294},
}
_CLONE = {"x86_64": 56, "aarch64": 220}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_CLONE3 = 435
_CLONE_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}."""
_X32_BIT = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000


def program(machine: str | None = None) -> bytes:
    """The filter as `struct sock_filter[]`, in this machine's byte order, for `bwrap --seccomp`."""
    machine = machine or platform.machine()
    if machine not in _DENIED:
        return b""
    lines = [_op(_LOAD, _ARCH), _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, _NUMBER)]
    lines += [_op(_AT_LEAST, _X32_BIT, 0, 1), _op(_RETURN, _FAIL | errno.EPERM)]
    for number in _DENIED[machine].values():
        lines += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _FAIL | errno.EPERM)]
    lines += [_op(_EQUAL, _CLONE3, 0, 1), _op(_RETURN, _FAIL | errno.ENOSYS)]
    lines += _on_argument(_CLONE[machine], _op(_HAS_BITS, _CLONE_NEW_NAMESPACES, 0, 1))
    lines += _on_argument(_PRLIMIT[machine], _op(_EQUAL, 0, 1, 0))
    return b"".join([*lines, _op(_RETURN, _ALLOW)])


def _on_argument(number: int, test: bytes) -> list[bytes]:
    """For one call: load its first argument; EPERM unless the test jumps over that, else allow."""
    refuse, allow = _op(_RETURN, _FAIL | errno.EPERM), _op(_RETURN, _ALLOW)
    return [_op(_EQUAL, number, 0, 4), _op(_LOAD, _FIRST_ARGUMENT), test, refuse, allow]


def _op(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, k)
