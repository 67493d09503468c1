"""The real command in a process of its own, for benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def c2v(home: Path, *arguments: str | Path) -> tuple[dict[str, Any], float]:
    """Run ``c2v ARGUMENTS --format json`` under its own C2V_HOME; its answer, and seconds."""
    started = time.monotonic()
    command = [sys.executable, "-m", "c2v", *map(str, arguments), "--format", "json", "--quiet"]
    done = subprocess.run(
        command,
        env=os.environ | {"C2V_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 4):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer, time.monotonic() - started
