"""Large blocks go back to the system as soon as they are free."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from c2v.indexing.memory import return_large_blocks

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "returned":
    return_large_blocks()
del_me = [bytearray(3 << 20) for _ in range(2)]
del del_me  # from here on glibc by itself puts blocks of this size on the heap
before = resident()
blocks, pin = [bytearray(3 << 20) for _ in range(20)], bytearray(64 << 10)
del blocks  # the pin lies above them
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a habit of glibc alone")
def test_large_blocks_are_given_back() -> None:
    kept = {
        way: int(
            subprocess.run(
                [sys.executable, "-c", SCRIPT, way], capture_output=True, text=True, check=True
            ).stdout
        )
        for way in ("returned", "kept")
    }
    assert kept["returned"] <= 5
    assert kept["kept"] >= 40  # or this test shows nothing
