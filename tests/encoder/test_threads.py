"""One encoder that many threads share, and what of it goes to another process."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.made_once import made_once
from c2v.encoder.towers.precision import choices_on

THREADS = 8


def at_once(call: Callable[[], Any]) -> list[Any]:
    """What eight threads get that call at the same moment."""
    barrier = threading.Barrier(THREADS)

    def wait_and_call(_: int) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(wait_and_call, range(THREADS)))


class Maker:
    """Makes slowly, and counts."""

    def __init__(self, *, fails: int = 0) -> None:
        self.calls = 0
        self.fails = fails

    @made_once
    def thing(self) -> object:
        """What it makes."""
        self.calls += 1
        time.sleep(0.05)
        if self.calls <= self.fails:
            raise OSError("not yet")
        return object()

    @made_once
    def both(self) -> tuple[object, object]:
        return self.thing, self.thing


def test_a_value_is_made_once() -> None:
    maker = Maker()
    things = at_once(lambda: maker.thing)
    assert len(set(map(id, things))) == 1
    assert maker.calls == 1
    assert maker.both == (maker.thing, maker.thing)
    assert Maker().thing is not maker.thing
    assert Maker.thing.__doc__ == "What it makes."


def test_what_failed_is_tried_again() -> None:
    maker = Maker(fails=1)
    with pytest.raises(OSError, match="not yet"):
        _ = maker.thing
    assert maker.thing is maker.thing
    assert maker.calls == 2


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_eight_threads_have_one_tower_each(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """With ``auto`` the tower is chosen by the first frames, which all eight bring."""
    from c2v.encoder.towers import clip_image
    from c2v.encoder.towers.clip_text_numpy import ClipTextTower

    made: list[str] = []

    def counted(kind: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            made.append(kind)
            time.sleep(0.02)
            return make(*arguments, **options)

        return call

    monkeypatch.setattr(ClipTextTower, "__init__", counted("text", ClipTextTower.__init__))
    monkeypatch.setattr(clip_image, "_make", counted("graph", clip_image._make))
    bundle = load_bundle("tiny", device="cpu", precision=precision)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)

    def work() -> tuple[bytes, bytes]:
        return bundle.encode_frames(images).tobytes(), bundle.embed_text(["a dog"]).tobytes()

    results = at_once(work)
    assert made.count("text") == 1
    first = made.count("graph")
    assert work() == results[0]
    assert len(set(results)) == 1
    assert made.count("graph") == first
    again = load_bundle("tiny", device="cpu", precision=precision)
    again.encode_frames(images)  # one thread alone, for which the choice is known
    assert made.count("graph") == first + 1
    # One set of trials, which ends early where fp32 is cheap, and the tower that came of it.
    trials = 0 if precision == "fp32" else len(choices_on("cpu", has_graph=True))
    assert first <= trials + 1


def test_a_pickled_bundle_is_the_same_encoder(tiny: Bundle) -> None:
    """Used or not: an engine in another process makes its own towers."""
    texts = ["a dog catching a frisbee"]
    expected = tiny.embed_text(texts)
    tiny.encode_frames(np.zeros((1, 32, 32, 3), np.uint8))
    content = pickle.dumps(tiny)
    assert len(content) < 10_000
    again = pickle.loads(content)
    assert (again.name, again.device, again.precision) == (tiny.name, "cpu", "fp32")
    assert again.config == tiny.config
    assert "text_tower" not in vars(again)
    assert again.embed_text(texts).tobytes() == expected.tobytes()
