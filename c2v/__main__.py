"""``python -m c2v`` and the console script ``c2v``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # One BLAS thread: with more, a one-shot query on a busy machine spins for seconds. It has to
    # be set before NumPy is loaded. Torch and ONNX Runtime have pools of their own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from c2v.cli.streams import prepare

    prepare()
    from c2v.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
