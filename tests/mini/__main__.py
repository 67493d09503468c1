"""``python -m tests.mini``: train the bundle ``mini``, or measure it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import EXIT_OK, C2VError

if TYPE_CHECKING:
    from tests.mini.evaluate import Recalls

_SHIPPED = Path(__file__).parents[2] / "c2v" / "encoder" / "weights" / "mini"
_README = Path(__file__).parents[2] / "README.md"
_DATA = Path("../shared/data/flickr8k")
_CLIPS = Path("../shared/data/msrvtt/clips")
_COCO = Path("../shared/data/coco/captions_val2017.csv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, work, print; returns the exit code."""
    options = _parser().parse_args(arguments)
    # One BLAS thread, set before NumPy is loaded: sums must not depend on the number of cores.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        if options.figures:
            _write_figures(options.out, options.data.parent)
            return EXIT_OK
        if options.calibrate:
            _calibrate(options.data, options.clips, options.out)
            return EXIT_OK
        if not options.evaluate:
            _train(options.data, options.coco, options.out)
            _calibrate(options.data, options.clips, options.out)
        _evaluate(options.data, options.out, options.split)
    except C2VError as error:
        _say(f"error: {error.message}")
        if error.hint:
            _say(f"hint: {error.hint}")
        return error.exit_code
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mini", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=_DATA, help="folder of Flickr8k (default: %(default)s)"
    )
    parser.add_argument(
        "--coco",
        type=Path,
        default=_COCO,
        help="CSV with a column caption, for the hub bias (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=_SHIPPED, help="folder of the bundle (default: the shipped one)"
    )
    parser.add_argument("--evaluate", action="store_true", help="measure the bundle, do not train")
    parser.add_argument(
        "--figures",
        action="store_true",
        help="measure and write the tables of the model card and the README, do not train",
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="fit the constants of confidence, do not train"
    )
    parser.add_argument(
        "--clips",
        type=Path,
        default=_CLIPS,
        help="clips with captions.csv, for --calibrate (default: %(default)s)",
    )
    parser.add_argument(
        "--split", choices=("dev", "test"), default="test", help="what to measure on"
    )
    return parser


def _train(data: Path, coco: Path, out: Path) -> None:
    from tests.mini.assemble import train_bundle
    from tests.mini.fit import Recipe

    config = train_bundle(data, coco, out, Recipe(), on_step=_say)
    size_bytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    _say(f"{out}: {size_bytes / 1e6:.1f} MB, fingerprint {config.fingerprint}")


def _write_figures(out: Path, data: Path) -> None:
    from tests.mini.assemble import CARD_NAME
    from tests.mini.figures import measured_table, write_table

    table = measured_table(out, data)
    for document in (out / CARD_NAME, _README):
        write_table(document, table)
    sys.stdout.write(table)


def _calibrate(data: Path, clips: Path, out: Path) -> None:
    from tests.mini.matching import calibrate_matching

    found = calibrate_matching(out, data, clips)
    _say(
        f"{out}: score {found.score}, typical {found.typical}, size {found.size}, "
        f"offset {found.offset}"
    )


def _evaluate(data: Path, directory: Path, split: str) -> None:
    from c2v.encoder import load_bundle
    from tests.mini.evaluate import evaluate

    found = evaluate(
        load_bundle(directory, device="cpu"), data, "dev" if split == "dev" else "test"
    )
    sys.stdout.write(_table(found, split))


def _table(found: Recalls, split: str) -> str:
    from tests.mini.evaluate import CUTS

    head = f"Flickr8k {split}".ljust(24) + "".join(f"R@{cut}".rjust(7) for cut in CUTS)
    rows = [
        name.ljust(24) + "".join(f"{value:7.1f}" for value in values)
        for name, values in (
            ("text to image (T2I)", found.text_to_image),
            ("image to text (I2T)", found.image_to_text),
        )
    ]
    return "\n".join([head, *rows, ""])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
