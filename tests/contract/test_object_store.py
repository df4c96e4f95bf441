"""What every ObjectStore does: the double, and a folder."""

import asyncio
import hashlib

import pytest

from procos.adapters.folder_objects import FolderObjects
from procos.errors import StoreError
from procos.model.stored_object import StoredObject
from procos.testing.memory_objects import MemoryObjects

pytestmark = pytest.mark.anyio

CONTENTS = [b"", b"\x00", "ä€😀".encode(), b"\r\n" * 10, bytes(range(256)) * 20_000]


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    return MemoryObjects() if request.param == "memory" else FolderObjects(tmp_path / "objects")


@pytest.mark.parametrize("content", CONTENTS, ids=len)
async def test_an_object_comes_back_by_its_hash(store, content):
    stored = await store.put(content, media_type="application/json")

    sha256 = hashlib.sha256(content).hexdigest()
    assert stored == StoredObject(sha256=sha256, size=len(content), media_type="application/json")
    assert await store.get(stored.sha256) == content


async def test_the_same_content_is_the_same_object_under_any_media_type(store):
    first = await store.put(b"same", media_type="text/plain")
    second = await store.put(b"same", media_type="text/csv")

    assert first.sha256 == second.sha256
    assert (first.media_type, second.media_type) == ("text/plain", "text/csv")


async def test_many_callers_at_once(store):
    contents = [bytes([number % 7]) * 50_000 for number in range(60)]
    stored = await asyncio.gather(*(store.put(content, media_type="x/y") for content in contents))

    assert await asyncio.gather(*(store.get(one.sha256) for one in stored)) == contents


@pytest.mark.parametrize(
    "wrong", ["0" * 64, "", "abc", "../../../../etc/passwd", "0" * 63 + "\n", "A" * 64, "/" * 64, "ä" * 64]
)
async def test_what_names_no_object_is_an_error_that_says_so(store, wrong):
    with pytest.raises(StoreError, match="no object"):
        await store.get(wrong)
    await store.close()
