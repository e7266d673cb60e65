"""Kaggle and Hugging Face on the loopback interface, as far as their clients upload."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.hubs import TOKEN, listening

REPOSITORY, MODEL = "someone/flags", "someone/flags/transformers/adapter"
LARGE = 4096
"""Bytes from which Hugging Face wants a file by the protocol for large files."""


@dataclass
class UploadHub:
    """What was uploaded, and how the server behaves.

    Attributes:
        files: name to content of what was committed.
        exists: whether there is a repository already, which keeps its visibility.
        private: of the repository that was created.
        license_name: of the model on Kaggle.
        versions: how many times a model was uploaded to Kaggle.
        failures: statuses of the next requests whose path holds the key.
        requests: "METHOD path" of all requests so far.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    private: bool | None = None
    exists: bool = False
    license_name: str = ""
    versions: int = 0
    failures: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@contextmanager
def serve_uploads(hub: UploadHub) -> Iterator[UploadHub]:
    """Serve until left; hub.url is where."""
    with listening(type("Handler", (_Handler,), {"hub": hub})) as hub.url:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: UploadHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self._body()
        self.hub.requests.append(f"{self.command} {path}")
        failure = next(
            (queue.pop(0) for part, queue in self.hub.failures.items() if part in path and queue), 0
        )
        if failure:
            self._send(failure, {"error": "a bad day"})
        elif path.startswith("/blobs/"):
            self.hub.blobs[path.removeprefix("/blobs/")] = body
            self._send(200, {})
        elif not self._is_allowed():
            self._send(401, {"error": "Invalid credentials", "code": 401, "message": "Unauthenticated"})
        elif path.startswith("/v1/"):
            self._kaggle(path.rsplit("/", 1)[1], json.loads(body or b"{}"))
        else:
            self._hugging_face(path, body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization") or ""
        return given in (f"Bearer {TOKEN}", "Basic " + base64.b64encode(f"someone:{TOKEN}".encode()).decode())

    def _hugging_face(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            if not self.hub.exists:
                self.hub.private = json.loads(body)["visibility"] == "private"
            self._send(200, {"url": f"{self.hub.url}/{REPOSITORY}", "name": REPOSITORY})
        elif path.endswith("/preupload/main"):
            files = [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if each["size"] >= LARGE else "regular",
                    "shouldIgnore": False,
                }
                for each in json.loads(body)["files"]
            ]
            self._send(200, {"files": files})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                each | {"actions": {"upload": {"href": f"{self.hub.url}/blobs/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self._send(200, {"objects": objects, "transfer": "basic"})
        elif path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.hub.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    content = self.hub.blobs[value["oid"]]
                    assert hashlib.sha256(content).hexdigest() == value["oid"]
                    self.hub.files[value["path"]] = content
            self._send(
                200,
                {
                    "commitUrl": f"{self.hub.url}/{REPOSITORY}/commit/0000",
                    "commitOid": "0" * 40,
                    "success": True,
                },
            )
        else:
            self._send(200, {"id": REPOSITORY, "sha": "0" * 40, "siblings": [], "private": self.hub.private})

    def _kaggle(self, call: str, request: dict[str, Any]) -> None:
        if call == "StartBlobUpload":
            token = f"token-{len(self.hub.names)}"
            self.hub.names[token] = request["name"]
            self._send(200, {"token": token, "createUrl": f"{self.hub.url}/blobs/{token}"})
        elif call == "CreateModelInstance" and self.hub.versions:
            self._send(200, {"error": "exists already", "errorCode": 409})
        elif call in ("CreateModelInstance", "CreateModelInstanceVersion"):
            body = request["body"]
            self.hub.license_name = body.get("licenseName", self.hub.license_name)
            self.hub.versions += 1
            self._take(body, "")
            self._send(200, {"id": "1", "url": self.hub.url})
        elif call == "GetModel" and not self.hub.versions:
            self._send(404, {"code": 404, "message": "Not found"})
        else:
            self._send(200, {"id": 1})

    def _take(self, folder: dict[str, Any], path: str) -> None:
        """The files of an uploaded folder, by the tokens that they got."""
        for each in folder.get("files", []):
            self.hub.files[path + self.hub.names[each["token"]]] = self.hub.blobs[each["token"]]
        for each in folder.get("directories", []):
            self._take(each, f"{path}{each['name']}/")

    def _send(self, status: int, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
