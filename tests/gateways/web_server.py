"""Small web servers on the loopback: files, and a hub that speaks as much like Hugging Face as a reader needs."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Answer:
    """Of one request."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Responder = Callable[[str, bytes], Answer]
"""Path and query, and the request's body → the answer."""


@contextmanager
def serving(respond: Responder) -> Iterator[str]:
    """The address of a server that is there while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = respond(self.path, body)
            data, status = answer.body, answer.status
            if (asked := self.headers.get("Range")) and status == 200:
                first, last = asked.removeprefix("bytes=").split("-")
                data, status = data[int(first) : int(last or len(data)) + 1], 206
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = handle_one

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class SmallHub:
    """Repositories, each at one commit. `asked` holds the paths of all requests."""

    COMMIT = "c0" * 20

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], dict[str, bytes]] = {}
        self.cards: dict[str, dict[str, Any]] = {}
        self.listed: dict[str, bytes] = {}
        """Files whose listing describes other bytes than are sent."""
        self.status = 200
        self.asked: list[str] = []

    def respond(self, path: str, _: bytes) -> Answer:
        self.asked.append(path)
        if self.status != 200:
            return Answer(status=self.status)
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        if parts[0] == "api":
            return self._describe(parts[1], "/".join(parts[2:4]), parts[-1])
        kind = "datasets" if parts[0] == "datasets" else "models"
        owner, name, _, revision, *rest = parts[1:] if kind == "datasets" else parts
        return self._send(kind, f"{owner}/{name}", revision, "/".join(rest))

    def _describe(self, kind: str, id_: str, revision: str) -> Answer:
        files = self.repositories.get((kind, id_))
        if files is None or revision != self.COMMIT:
            code = "RepoNotFound" if files is None else "RevisionNotFound"
            return Answer(status=404, headers={"X-Error-Code": code})
        told = {
            "id": id_,
            "sha": self.COMMIT,
            "cardData": self.cards.get(id_),
            "siblings": [self._sibling(name, data) for name, data in files.items()],
        }
        return Answer(json.dumps(told).encode(), headers={"Content-Type": "application/json"})

    def _sibling(self, name: str, data: bytes) -> dict[str, Any]:
        data = self.listed.get(name, data)
        facts: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": _blob(data)}
        if name.endswith((".safetensors", ".parquet")):
            digest = hashlib.sha256(data).hexdigest()
            facts["lfs"] = {"size": len(data), "sha256": digest, "pointerSize": 134}
        return facts

    def _send(self, kind: str, id_: str, revision: str, name: str) -> Answer:
        data = self.repositories.get((kind, id_), {}).get(name)
        if data is None or revision != self.COMMIT:
            return Answer(status=404, headers={"X-Error-Code": "EntryNotFound"})
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        return Answer(data, headers={"ETag": etag, "X-Repo-Commit": self.COMMIT, "Accept-Ranges": "bytes"})


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
