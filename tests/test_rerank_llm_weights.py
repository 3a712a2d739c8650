"""`whyrec llm pull`: a download that is cut goes on, and only the right file is kept."""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recall.errors import DataError
from rerank.llm.weights import pull

KEY = b"general.architecture"
GGUF = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(KEY)) + KEY + struct.pack("<IQ", 8, 5) + b"llama"


class Shelf:
    """A server of one file: how much of it goes out before the connection is cut, and what was asked."""

    def __init__(self) -> None:
        self.body = GGUF + bytes(range(256)) * 8_000
        self.tag: str | None = '"one"'
        self.cut: int | None = None
        self.ranges = True
        self.asked: list[str | None] = []
        self.url = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    held = Shelf()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            held.asked.append(asked)
            start = 0
            if asked and held.ranges and self.headers.get("If-Range") == held.tag:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(held.body) - start))
            if held.tag:
                self.send_header("ETag", held.tag)
            self.end_headers()
            until = len(held.body) if held.cut is None else held.cut
            self.wfile.write(held.body[start:until])
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    held.url = f"http://127.0.0.1:{server.server_port}/tiny.gguf"
    yield held
    server.shutdown()


def cut_then_whole(shelf: Shelf, folder: Path) -> Path:
    shelf.cut = 1_000_000
    with pytest.raises(DataError, match="pull again"):
        pull(shelf.url, sha256=shelf.sha256, folder=folder)
    assert not (folder / "tiny.gguf").exists()
    shelf.cut = None
    return pull(shelf.url, sha256=shelf.sha256, folder=folder)


def test_a_download_that_was_cut_goes_on_where_it_stopped(shelf: Shelf, tmp_path: Path) -> None:
    path = cut_then_whole(shelf, tmp_path)
    assert shelf.asked == [None, "bytes=1000000-"]
    assert path.read_bytes() == shelf.body
    assert [each.name for each in tmp_path.iterdir()] == ["tiny.gguf"]


def test_a_server_without_ranges_sends_it_all_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.ranges = False
    assert cut_then_whole(shelf, tmp_path).read_bytes() == shelf.body


def test_without_a_version_nothing_is_pieced_together(shelf: Shelf, tmp_path: Path) -> None:
    shelf.tag = None
    cut_then_whole(shelf, tmp_path)
    assert shelf.asked == [None, None]


def test_a_file_that_changed_meanwhile_is_fetched_anew(shelf: Shelf, tmp_path: Path) -> None:
    shelf.cut = 1_000_000
    with pytest.raises(DataError):
        pull(shelf.url, folder=tmp_path)
    shelf.cut, shelf.tag, shelf.body = None, '"two"', GGUF + b"another" * 200_000
    assert pull(shelf.url, sha256=shelf.sha256, folder=tmp_path).read_bytes() == shelf.body


def test_a_whole_file_with_a_wrong_checksum_is_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sha256"):
        pull(shelf.url, sha256="0" * 64, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_with_the_right_checksum_is_not_fetched_again(shelf: Shelf, tmp_path: Path) -> None:
    pull(shelf.url, sha256=shelf.sha256, folder=tmp_path)
    pull(shelf.url, sha256=shelf.sha256, folder=tmp_path)
    assert len(shelf.asked) == 1
