"""Blobs with httpx, streamed both ways."""

import hashlib
import threading

import httpx
import pytest
from server import PATIENCE, until

CHUNK = bytes(range(256)) * 64


class Upload(threading.Thread):
    """An upload that goes on when it is told to."""

    def __init__(self, server, blob, **options):
        super().__init__(daemon=True)
        self.server, self.blob, self.options = server, blob, options
        self.steps, self.answer = threading.Semaphore(0), None
        self.chunks, self.breaks = [], False

    def body(self):
        while self.steps.acquire(timeout=PATIENCE) and self.chunks:
            yield self.chunks.pop(0)
        if self.breaks:
            raise ConnectionError("the uploader gives up")

    def send(self, chunk):
        self.chunks.append(chunk)
        self.steps.release()

    def run(self):
        try:
            with httpx.Client(base_url=self.server.url, timeout=PATIENCE, trust_env=False) as http:
                self.answer = http.put(f"/v1/blobs/{self.blob}", content=self.body(), **self.options)
        except ConnectionError as gone:
            self.answer = gone

    def finish(self, breaks=False):
        self.breaks = breaks
        self.steps.release()
        self.join(PATIENCE)
        return self.answer


@pytest.fixture
def upload(server, topic):
    """One that has sent its first chunk."""
    running = Upload(server, topic.replace(".", "-"), headers={"Content-Type": "audio/ogg"})
    running.start()
    running.send(CHUNK)
    path = f"/v1/blobs/{running.blob}"
    until(lambda: server.http.head(path).status_code == 200, "the upload to begin")
    return running


def test_a_blob_is_read_while_it_is_uploaded(server, upload):
    with server.http.stream("GET", f"/v1/blobs/{upload.blob}") as download:
        assert download.status_code == 200 and download.headers["content-type"] == "audio/ogg"
        assert "content-length" not in download.headers
        pieces, read = download.iter_raw(), b""
        while len(read) < len(CHUNK):
            read += next(pieces)
        assert read == CHUNK and upload.answer is None
        upload.send(CHUNK[::-1])
        stored = upload.finish()
        read += b"".join(pieces)
    assert read == CHUNK + CHUNK[::-1]
    digest = hashlib.sha256(read).hexdigest()
    assert stored.status_code == 201 and stored.json()["sha256"] == digest
    assert stored.headers["etag"] == f'"{digest}"'


def test_a_broken_upload_is_no_short_blob(server, upload):
    with server.http.stream("GET", f"/v1/blobs/{upload.blob}") as download:
        pieces, read = download.iter_raw(), b""
        while len(read) < len(CHUNK):
            read += next(pieces)
        assert isinstance(upload.finish(breaks=True), ConnectionError)
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    assert server.http.get(f"/v1/blobs/{upload.blob}").status_code == 404


def test_a_download_resumes_where_it_was_cut(server, topic):
    path = f"/v1/blobs/{topic.replace('.', '-')}"
    tag = server.http.put(path, content=CHUNK).headers["etag"]
    rest = server.http.get(path, headers={"Range": "bytes=1000-", "If-Range": tag})
    assert rest.status_code == 206 and rest.content == CHUNK[1000:]
    assert rest.headers["content-range"] == f"bytes 1000-{len(CHUNK) - 1}/{len(CHUNK)}"
    replaced = server.http.put(path, content=b"another", headers={"If-Match": tag})
    assert replaced.status_code == 200
    whole = server.http.get(path, headers={"Range": "bytes=1000-", "If-Range": tag})
    assert whole.status_code == 200 and whole.content == b"another"
    assert server.http.delete(path).json() == {"removed": True}
    assert server.http.get(path).status_code == 404
