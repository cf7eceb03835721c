"""Fetching in tests, repositories as no git client makes them, and a git host that misbehaves on demand."""

import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import SubmissionError
from gateways.git import GitRepositories
from gateways.settings import RepositorySettings

FILE, SCRIPT, LINK, SUBMODULE, FOLDER = b"100644", b"100755", b"120000", b"160000", b"40000"
LOCAL = RepositorySettings(allow_local=True, max_mib=8, max_files=200, seconds=20)
Entry = tuple[bytes, bytes, str]
"""Mode, name, object id."""


def fetch(link: str, commit: str, into: Path, **settings: object) -> dict[str, bytes]:
    """What `GitRepositories.fetch` wrote, by path."""
    GitRepositories(LOCAL.model_copy(update=settings)).fetch(link, commit, into)
    return {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}


def refusal(link: str, commit: str, into: Path, **settings: object) -> str:
    """The reason that it refused with."""
    with pytest.raises(SubmissionError) as caught:
        fetch(link, commit, into, **settings)
    return caught.value.reason


class HostileRepository:
    """A real repository whose objects are written as told, without git's own checks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def link(self) -> str:
        return f"file://{self.folder}"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        name = {
            f"GIT_{role}_{what}": "miner@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        run = subprocess.run(
            ["git", "-C", self.folder, *arguments],
            input=stdin,
            capture_output=True,
            check=True,
            env={**os.environ, **name, "GIT_CONFIG_GLOBAL": "/dev/null"},
        )
        return run.stdout.decode().strip()

    def write(self, kind: str, data: bytes) -> str:
        return self.git("hash-object", "-w", "--literally", "-t", kind, "--stdin", stdin=data)

    def blob(self, data: bytes = b"data\n") -> str:
        return self.write("blob", data)

    def tree(self, *entries: Entry) -> str:
        parts = sorted(entries, key=lambda entry: entry[1] + (b"/" if entry[0] == FOLDER else b""))
        return self.write(
            "tree", b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(oid)) for mode, name, oid in parts)
        )

    def commit_tree(self, tree: str, branch: str = "main") -> str:
        commit = self.git("commit-tree", "-m", "entry", tree)
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def commit_entries(self, *entries: Entry) -> str:
        return self.commit_tree(self.tree(*entries))

    def commit_files(self, files: dict[str, bytes]) -> str:
        """As an honest miner would."""
        for path, data in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "entry")
        return self.git("rev-parse", "HEAD")

    def object_path(self, oid: str) -> Path:
        return self.folder / ".git" / "objects" / oid[:2] / oid[2:]


class _Handler(BaseHTTPRequestHandler):
    """`/good/…` are repositories by git's own http-backend; every other owner is a way of failing."""

    root: ClassVar[Path]
    asked: ClassVar[list[str]]
    answers: ClassVar[dict[str, int]] = {"gone": 404, "forbidden": 403, "private": 401, "broken": 503, "busy": 429}

    def do_GET(self) -> None:
        owner = self.path.split("/")[1]
        self.asked.append(self.path)
        if owner == "good":
            self._backend()
        elif owner == "moved":
            self._answer(302, {"Location": self.path.replace("/moved/", "/good/", 1)})
        elif owner == "slow":
            time.sleep(5)
        else:
            self._answer(self.answers[owner], {"WWW-Authenticate": 'Basic realm="x"'} if owner == "private" else {})

    do_POST = do_GET

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _backend(self) -> None:
        url = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "PATH_INFO": url.path.removeprefix("/good"),
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        run = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment)
        head, _, content = run.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at `asked` instead."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@contextmanager
def git_host(root: Path, certificate: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the repositories below `root` by https; yields `127.0.0.1:<port>` and the paths that were asked for."""
    asked: list[str] = []
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"root": root, "asked": asked}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _write_certificate(certificate)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _write_certificate(path: Path) -> None:
    """A key and a certificate for 127.0.0.1 that vouches for itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
