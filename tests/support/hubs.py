"""Kaggle and Hugging Face on the loopback interface: as much of their protocols as their clients use, and
their bad days."""

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
KAGGLE_VERSION = 3
TOKEN = "the-right-token"
OF_CONTENT = ("cut", "damaged")
"""Failures that a response without content cannot have."""

PAGE = b"<!DOCTYPE html><html><body>Welcome to the hotel</body></html>"


@dataclass
class Hub:
    """What the server offers and how it behaves.

    Attributes:
        files: name to content of the one repository there is.
        repository: the kind and the name of the repository on Hugging Face.
        gated: whether the files are given only to who shows TOKEN.
        failures: for the next requests whose path holds the key, in order: a status; "cut" or "damaged" for
            a file; "page": a web page with status 200, as from a network with a sign-in page; "loop": a
            redirect to the same address.
        retry_after: seconds that a response with status 429 asks for.
        requests: "METHOD path" of all requests so far.
    """

    files: dict[str, bytes]
    repository: str = "models/google/gemma-3-270m-it"
    url: str = ""
    gated: bool = False
    retry_after: int | None = None
    failures: dict[str, list[int | str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def of_folder(cls, folder: Path, repository: str = repository) -> "Hub":
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, repository)

    def next_failure(self, command: str, path: str) -> int | str | None:
        for part, queue in self.failures.items():
            if part in path and queue and not (command == "HEAD" and queue[0] in OF_CONTENT):
                return queue.pop(0)
        return None


@contextmanager
def serve(hub: Hub, tls: ssl.SSLContext | None = None) -> Iterator[Hub]:
    """Serve until left; hub.url is where."""
    with listening(type("Handler", (_Handler,), {"hub": hub}), tls) as hub.url:
        yield hub


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers until left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_CONNECT(self) -> None:
        """As a proxy that asks for a password."""
        self._send(407, b"", {"Proxy-Authenticate": "Basic"})

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append(f"{self.command} {path}")
        failure = self.hub.next_failure(self.command, path)
        if isinstance(failure, int):
            later = {"Retry-After": str(self.hub.retry_after)} if self.hub.retry_after is not None else {}
            self._send(failure, b'{"error": "a bad day"}', later)
        elif failure == "page":
            self._send(200, PAGE, {"Content-Type": "text/html"})
        elif failure == "loop":
            self._send(302, b"", {"Location": self.hub.url + self.path})
        elif path.startswith("/v1/models.ModelApiService/"):
            self._kaggle(path.rsplit("/", 1)[1], json.loads(body))
        elif path.startswith("/kaggle-files/"):
            content = self.hub.files[path.removeprefix("/kaggle-files/")]
            digest = base64.b64encode(hashlib.md5(content).digest()).decode()
            sent = bytes([content[0] ^ 1]) + content[1:] if failure == "damaged" else content
            self._send(200, sent, {"X-Goog-Hash": f"md5={digest}"}, cut=failure == "cut")
        else:
            self._hugging_face(path, failure)

    def _kaggle(self, call: str, request: dict[str, Any]) -> None:
        if request.get("ownerSlug") != "keras" or request.get("modelSlug") != "gemma3":
            self._json(404, {"code": 404, "message": "Not found"})
        elif self.hub.gated and self.headers.get("Authorization") != _basic("someone", TOKEN):
            self._json(403, {"code": 403, "message": "Permission 'models.get' was denied"})
        elif call == "GetModelInstance":
            self._json(200, {"versionNumber": KAGGLE_VERSION})
        elif call == "ListModelInstanceVersionFiles":
            self._json(200, {"files": [{"name": name} for name in self.hub.files], "nextPageToken": ""})
        else:
            self._send(302, b"", {"Location": f"{self.hub.url}/kaggle-files/{request['path']}"})

    def _hugging_face(self, path: str, failure: int | str | None) -> None:
        api = f"/api/{self.hub.repository}"
        files = f"/{self.hub.repository.removeprefix('models/')}/resolve/{COMMIT}/"
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            self._json(200, {"id": self.hub.repository.partition("/")[2], "sha": COMMIT, "siblings": []})
        elif path == f"{api}/tree/{COMMIT}":
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": git_digest(content)}
                for name, content in self.hub.files.items()
            ]
            self._json(200, entries)
        elif path.startswith(f"{api}/revision/"):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif not path.startswith(files):
            # Without a right token Hugging Face does not tell whether there is such a model.
            self._send(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif self.hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        else:
            content = self.hub.files[path.removeprefix(files)]
            headers = {
                "ETag": f'"{git_digest(content)}"',
                "X-Repo-Commit": COMMIT,
                "Accept-Ranges": "bytes",
            }
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            if failure == "damaged" and self.command == "GET":
                content = bytes([content[0] ^ 1]) + content[1:]
            cut = failure == "cut" and self.command == "GET"
            self._send(206 if start else 200, content[start:], headers, cut=cut)

    def _json(self, status: int, document: Any) -> None:
        self._send(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


def git_digest(content: bytes) -> str:
    """Git's name of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _basic(user: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()
