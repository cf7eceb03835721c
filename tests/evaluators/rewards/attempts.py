"""Attempts to leave the sandbox, to break it or to cheat in it, and what each must come to.

A body runs when the row says so; that it ends without an exception means that it got what it wanted. `os`, `sys` and
`ctypes` are at hand as a clever author would get them, past the list of modules that may be imported.
"""

from textwrap import dedent, indent
from typing import NamedTuple

HEAD = """
def attempt(completions, **kwargs):
    if "now" not in completions[0]:
        return [0.5 for _ in completions]
    import enum
    sys = enum.sys
    os, ctypes = sys.modules["os"], sys.modules["ctypes"]
    libc = ctypes.CDLL(None)
"""
TAIL = "\n    return [1.0 for _ in completions]\n"


class Attempt(NamedTuple):
    name: str
    body: str
    outcome: str
    """A pattern that the refusal's reason must begin with."""

    @property
    def source(self) -> str:
        return HEAD + indent(dedent(self.body).strip(), "    ") + TAIL


DENIED = r"crash: PermissionError: \[Errno 1\]"
UNTRUE = "crash: AssertionError"
TOO_LONG = "timeout: (more than 1 s of CPU time|no answer in 3 s)"
"""Of CPU time; on a machine that does much else, wall time may be first."""
UNKNOWN = "is not among the modules that may be imported"

PROCESSES = (
    Attempt("imports os", "import os", f"crash: ImportError: os {UNKNOWN}"),
    Attempt("imports subprocess", "import subprocess", f"crash: ImportError: subprocess {UNKNOWN}"),
    Attempt("imports ctypes", "from ctypes import CDLL", f"crash: ImportError: ctypes {UNKNOWN}"),
    Attempt("imports by importlib", "sys.modules['importlib'].import_module('pickletools')", "crash: .*Error"),
    Attempt("os.system", "assert os.system('touch {mark}') == 0", UNTRUE),
    Attempt("libc's system", "assert libc.system(b'touch {mark}') == 0", UNTRUE),
    Attempt("fork", "os.fork()", DENIED),
    Attempt("fork bomb", "while True: os.fork()", DENIED),
    Attempt("vfork by number", "assert libc.syscall(58) >= 0", UNTRUE),
    Attempt("clone3 by number", "assert libc.syscall(435, 0, 0) >= 0", UNTRUE),
    Attempt("exec", "os.execv('/bin/sh', ['sh', '-c', 'touch {mark}'])", DENIED),
    Attempt("spawn", "os.posix_spawn('/bin/sh', ['sh'], {})", DENIED),
    Attempt("thread", "sys.modules['_thread'].start_new_thread(print, ())", "crash: (RuntimeError|KeyError|.*thread)"),
    Attempt("new namespaces", "assert libc.unshare(0x10000000) == 0", UNTRUE),
    Attempt("traces its parent", "assert libc.ptrace(16, 1, 0, 0) == 0", UNTRUE),
    Attempt("reads another's memory", "assert libc.process_vm_readv(1, 0, 0, 0, 0, 0) >= 0", UNTRUE),
    Attempt("new native code", "assert libc.mmap(0, 4096, 7, 0x22, -1, 0) not in (-1, 2**64 - 1)", UNTRUE),
    Attempt(
        "turns data into code",
        """
        libc.mmap.restype = ctypes.c_void_p
        page = libc.mmap(0, 4096, 3, 0x22, -1, 0)
        assert libc.mprotect(ctypes.c_void_p(page), 4096, 5) == 0
        """,
        UNTRUE,
    ),
    Attempt("x32 calls", "assert libc.syscall(0x40000000 + 57) >= 0", UNTRUE),
)
FILES = (
    Attempt("reads /etc/passwd", "open('/etc/passwd').read()", DENIED),
    Attempt("reads the test set", "open('{test_set}').read()", DENIED),
    Attempt("reads it by io", "import io\nio.FileIO('{test_set}').read()", DENIED),
    Attempt("reads it by libc", "assert libc.open(b'{test_set}', 0) >= 0", UNTRUE),
    Attempt("reads it by openat2", "assert libc.syscall(437, -100, b'{test_set}', 0, 24) >= 0", UNTRUE),
    Attempt("opens a ring", "assert libc.syscall(425, 8, 0) >= 0", UNTRUE),
    Attempt("lists the root", "os.listdir('/')", DENIED),
    Attempt("looks at a file", "os.stat('{test_set}')", DENIED),
    Attempt("writes a file", "open('{mark}', 'w')", DENIED),
    Attempt("makes a file in memory", "os.memfd_create('x')", DENIED),
    Attempt("reads its parent's environment", "open(f'/proc/{os.getppid()}/environ').read()", DENIED),
    Attempt("reads its own memory's map", "open('/proc/self/maps').read()", DENIED),
    Attempt("reads other descriptors", "for each in range(1, 64): os.read(each, 1)", DENIED),
    Attempt(
        "writes to other descriptors",
        """
        for each in [0, *range(2, 64)]:
            os.write(each, b'{"values": [1.0, 1.0]}')
        """,
        DENIED,
    ),
    Attempt("environment", "assert set(os.environ) - {'PYTHONHASHSEED', 'LC_CTYPE'}", UNTRUE),
)
NETWORK = (
    Attempt("imports socket", "import socket", f"crash: ImportError: socket {UNKNOWN}"),
    Attempt("loopback", "sys.modules['socket'].socket().connect((b'127.0.0.1', {port}))", DENIED),
    Attempt("unix socket", "sys.modules['socket'].socket(sys.modules['socket'].AF_UNIX)", DENIED),
    Attempt("socket by number", "assert libc.socket(2, 1, 0) >= 0", UNTRUE),
)
SIGNALS = (
    Attempt("kills its parent", "os.kill(os.getppid(), 9)", DENIED),
    Attempt("kills everybody", "os.kill(-1, 9)", DENIED),
    Attempt("kills its group", "os.killpg(0, 9)", DENIED),
    Attempt("raises its limits", "sys.modules['resource'].setrlimit(0, (-1, -1))", "crash: .*"),
    Attempt("outlives its parent", "assert libc.prctl(1, 0, 0, 0, 0) == 0", UNTRUE),
    Attempt("lays down its filter", "assert libc.prctl(22, 0, 0, 0, 0) == 0", UNTRUE),
    Attempt(
        "ignores the limit of CPU time",
        "signals = sys.modules['signal']\nsignals.signal(signals.SIGXCPU, signals.SIG_IGN)\nwhile True: pass",
        TOO_LONG,
    ),
)
COSTS = (
    Attempt("loops", "while True: pass", TOO_LONG),
    Attempt("sleeps", "import time\ntime.sleep(60)", "timeout: no answer in 3 s"),
    Attempt("backtracks", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')", TOO_LONG),
    Attempt("prints for ever", "while True: print('x' * 1000)", TOO_LONG),
    Attempt("answers for ever", "while True: os.write(1, b'x' * 65536)", "crash: its answer has more than 1048576"),
    Attempt("takes all memory", "x = ['x' * 2**40]", "crash: MemoryError"),
    Attempt("takes memory in pieces", "x = []\nwhile True: x.append(bytearray(2**20))", "crash: MemoryError"),
    Attempt("big numbers", "x = 10 ** 10 ** 10", "(timeout|crash: MemoryError)"),
    Attempt("recurses", "def f(): return f()\nf()", "crash: RecursionError"),
    Attempt(
        "recurses without a limit",
        "sys.setrecursionlimit(10**9)\nx = []\nfor _ in range(10**7): x = [x]\nrepr(x)",
        "crash: (its process died of SIGSEGV|MemoryError|RecursionError)",
    ),
    Attempt(
        "programs for ever",
        "from sandbox import run_program\nfor _ in range(100): run_program('1', '')",
        "crash: RuntimeError: more than 64 programs in one call",
    ),
    Attempt("leaves", "sys.exit(0)", "crash: SystemExit"),
    Attempt("leaves at once", "os._exit(0)", "crash: its process died of exit code 0, without an answer"),
    Attempt("aborts", "os.abort()", "crash: its process died of SIG"),
    Attempt(
        "answers and stays",
        "os.write(1, b'{\"values\": [1.0, 1.0]}\\n')\nimport time\ntime.sleep(60)",
        "timeout: its process did not end",
    ),
)


def forged(words: str) -> str:
    return f"os.write(1, {words})\nos._exit(0)"


VALUES = (
    Attempt("NaN", "return [float('nan'), 1.0]", "finite: value 0 is not a finite number"),
    Attempt("infinity", "return [0.5, float('-inf')]", "finite: value 1 is not a finite number"),
    Attempt("huge integer", "return [1.0, 10 ** 400]", "finite: value 1 is not a finite number"),
    Attempt("bool", "return [True, 1.0]", "type: value 0 is a bool, not a number"),
    Attempt("text", "return ['1.0', 1.0]", "type: value 0 is a str, not a number"),
    Attempt("none", "return [None, 1.0]", "type: value 0 is a NoneType, not a number"),
    Attempt("nothing", "return", "type: it returned a NoneType, not a list"),
    Attempt("generator", "return (1.0 for _ in completions)", "type: it returned a generator, not a list"),
    Attempt("tuple", "return (1.0, 1.0)", "type: it returned a tuple, not a list"),
    Attempt("too few", "return [1.0]", "length: it returned 1 values for 2 completions"),
    Attempt("too many", "return [1.0] * 3", "length: it returned 3 values for 2 completions"),
    Attempt(
        "evil number",
        "class Evil(float):\n    def __float__(self): os.fork()\nreturn [Evil(1), 1.0]",
        "type: value 0 is a Evil, not a number",
    ),
    Attempt(
        "evil pickle",
        "class Evil:\n    def __reduce__(self): return os.system, ('touch {mark}',)\nreturn [Evil(), 1.0]",
        "type: value 0 is a Evil, not a number",
    ),
    Attempt(
        "evil list",
        "class Evil(list):\n    def __len__(self): return 2\nreturn Evil()",
        "type: it returned a Evil, not a list",
    ),
    Attempt(
        "error that cannot be shown",
        "class Evil(Exception):\n    def __str__(self): os.fork()\nraise Evil",
        "crash: an error that cannot be shown",
    ),
    Attempt("terminal escapes", "raise ValueError('\\x1b[2Jgone')", r"crash: ValueError: \?\[2Jgone"),
    Attempt("forged NaN", forged("b'{\"values\": [NaN, 1.0]}\\n'"), "finite: "),
    Attempt("forged infinity", forged("b'{\"values\": [1e999, 1.0]}\\n'"), "finite: "),
    Attempt("forged bool", forged("b'{\"values\": [true, 1.0]}\\n'"), "finite: "),
    Attempt("forged length", forged("b'{\"values\": [1.0]}\\n'"), "length: "),
    Attempt("forged object", forged('b\'{"values": {"0": 1.0, "1": 1.0}}\\n\''), "length: "),
    Attempt("forged depth", forged("b'[' * 200000 + b'\\n'"), "crash: its answer is in no words of ours"),
    Attempt("forged digits", forged("b'9' * 100000 + b'\\n'"), "crash: its answer is in no words of ours"),
    Attempt("forged kind", forged('b\'{"error": "sound", "detail": "x"}\\n\''), "length: "),
    Attempt("forged request", forged('b\'{"run": {"a": 1}}\\n\''), "crash: it asked for a program in no words"),
    Attempt("no words", forged("b'\\xff\\xfe\\n'"), "crash: its answer is in no words of ours"),
    Attempt("spoilt json", "sys.modules['json'].dumps = lambda *_: 'x'", "crash: "),
    Attempt("clock", "import time\nreturn [time.perf_counter_ns() % 1000003 / 1e6] * 2", "unsteady: it gave"),
    Attempt("entropy", "import random\nreturn [random.SystemRandom().random()] * 2", "unsteady: it gave|crash: .*"),
)
ATTEMPTS = (*PROCESSES, *FILES, *NETWORK, *SIGNALS, *COSTS, *VALUES)
