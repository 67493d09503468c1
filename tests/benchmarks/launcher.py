"""Run one command and report what it took: python launcher.py REPORT COMMAND...

A process of its own because Linux counts the memory of whoever starts a command towards that
command's peak: this one is small (about 10 MB), the benchmark that calls it is not. Standard
library alone, started with ``-I -S``.
"""

import json
import os
import sys
import time


def main() -> None:
    report, command = sys.argv[1], sys.argv[2:]
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - started
    # The kernel counts in KiB on Linux, in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would be imported for this alone
        json.dump(
            {
                "wall_seconds": wall,
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "peak_bytes": used.ru_maxrss * unit,
                "code": os.waitstatus_to_exitcode(status),
            },
            file,
        )


main()
