"""The content id follows the content, not the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2v.errors import MediaError
from c2v.media.identity import PIECE_BYTES, content_id


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 1, 10**6])
def test_same_content_same_id_and_any_seen_byte_changes_it(tmp_path: Path, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(data)
    two.write_bytes(data)
    assert content_id(one) == content_id(two)
    assert len(content_id(one)) == 40
    for position in {0, size // 2, size - 1} if size else ():
        changed = bytearray(data)
        changed[position] ^= 1
        two.write_bytes(bytes(changed))
        assert content_id(one) != content_id(two)
    two.write_bytes(data + b"\0")
    assert content_id(one) != content_id(two)


def test_unreadable_file_is_a_media_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be read"):
        content_id(tmp_path / "absent")
