"""Labels: what --labels means, and how sure a label is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2v.encoder.bundle import load_bundle
from c2v.errors import DataError
from c2v.search.everyday import EVERYDAY
from c2v.search.label_confidence import label_confidences
from c2v.search.labels import labels_meant


def meant(text: str) -> tuple[list[str], list[str]]:
    notices: list[str] = []
    return labels_meant(text, on_notice=notices.append), notices


def test_a_list_between_commas_is_labels_each_once() -> None:
    assert meant("a dog, a cat,a dog,") == (["a dog", "a cat"], [])
    assert meant("a dog,") == (["a dog"], [])
    assert meant("day/night, rain")[0] == ["day/night", "rain"]
    assert len(meant("a, " * 5000 + "b")[0]) == 2  # longer than any name of a file


def test_a_file_of_that_name_is_read_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a dog,a cat").write_text("a horse\n")
    assert meant("a dog,a cat") == (
        ["a horse"],
        ["--labels a dog,a cat is a file: its lines are the labels"],
    )
    Path("labels.txt").write_text("a cow\na cow\n")
    assert meant("labels.txt") == (["a cow"], [])


@pytest.mark.parametrize("text", ["labels", "old,new.txt", "a/b.csv", ",", " , ", "", " "])
def test_neither_file_nor_list_is_an_error_that_shows_both(text: str) -> None:
    with pytest.raises(DataError, match="--labels") as caught:
        meant(text)
    assert '--labels "a dog, a cat"' in caught.value.hint


def test_everyday_names_are_what_the_help_says() -> None:
    assert len(EVERYDAY) == len(set(EVERYDAY)) == 211
    assert all(name == name.strip() and "," not in name for name in EVERYDAY)


def test_confidence_is_of_how_far_a_label_stands_out() -> None:
    """A label as far out as none of the everyday names is sure, one in their middle is not."""
    bundle = load_bundle("mini")
    texts = ["a dog running in the grass", "a man playing a guitar"]
    vectors = bundle.embed_text(texts)  # texts in place of clips: their labels are certain
    found = label_confidences(bundle, vectors, ["a dog", "a guitar", "a dentist"])
    assert found.shape == (2, 3)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[0, 0] > 0.9 > 0.5 > found[0, 1]
    assert found[1, 1] > 0.9 > 0.5 > found[1, 0]
    # A vector that is near to every text alike (a common part added) is no surer of any of them.
    common = bundle.embed_text(EVERYDAY).mean(axis=0)
    shifted = label_confidences(bundle, vectors + 3 * common, ["a dentist"])
    assert np.all(shifted < 0.9)


def test_everyday_names_give_the_same_alone_and_in_a_list() -> None:
    bundle = load_bundle("mini")
    vectors = bundle.embed_text(["a boat on a lake"])
    whole = label_confidences(bundle, vectors, EVERYDAY)
    some = label_confidences(bundle, vectors, EVERYDAY[::50])
    np.testing.assert_allclose(whole[:, ::50], some, atol=1e-4)
