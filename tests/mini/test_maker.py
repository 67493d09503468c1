"""The script that made the shipped encoder, on small inputs of its own making."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.encoder.numpy_layers import unit
from c2v.encoder.towers.onnx_image import OnnxImageTower, make_session
from c2v.errors import DataError
from tests.mini import __main__ as command
from tests.mini.blend import Blend, Classifier, class_texts, fit_blend
from tests.mini.calibration import best_range, calibrate
from tests.mini.ensemble import Side, apply, fit_ensemble, join, principal_axes, turn
from tests.mini.evaluate import recalls
from tests.mini.figures import BEGIN, END, measured_table, table_of, write_table
from tests.mini.fit import Recipe, contrast, fit
from tests.mini.flickr import random_view, read_split
from tests.mini.image_graph import Outputs, round_kernel, write_image_graph
from tests.mini.lite0 import INPUT, POOLED_DIM, Layer, fold_norm, pooled
from tests.mini.prototypes import Prototypes, class_centres
from tests.mini.text_tensors import round_columns

SMALL = Recipe(learned_dim=16, hidden_dim=32, passes=6, batch=32, warmup_steps=5)
_SHARED = Path(__file__).parents[3] / "shared" / "data"

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def pairs() -> tuple[Array, Array]:
    """Features of 64 photos (2 views) and 3 captions each, all made from one hidden vector."""
    random = np.random.default_rng(0)
    hidden = random.standard_normal((64, 8))
    photos = hidden @ random.standard_normal((8, 20))
    captions = hidden @ random.standard_normal((8, 12))
    views = photos + 0.1 * random.standard_normal((2, 64, 20))
    several = captions[:, None] + 0.1 * random.standard_normal((64, 3, 12))
    return views.astype(np.float32), several.astype(np.float32)


def test_training_learns_and_repeats_to_the_bit(pairs: tuple[Array, Array]) -> None:
    first = fit(*pairs, SMALL)
    again = fit(*pairs, SMALL)
    assert np.mean(first[2][-5:]) < 0.5 * first[2][0]
    assert first[2] == again[2]
    for ours, theirs in zip(first[:2], again[:2], strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_another_seed_is_another_projection(pairs: tuple[Array, Array]) -> None:
    other = fit(*pairs, replace(SMALL, seed=1))[0]
    assert np.abs(other["up.weight"] - fit(*pairs, SMALL)[0]["up.weight"]).max() > 0.01


def test_captions_of_one_photo_are_not_negatives() -> None:
    import torch

    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    owner = torch.tensor([7, 7, 9])
    loss = contrast(features, features, owner, torch.tensor(100.0))
    assert loss.item() < 1e-6
    rivals = contrast(features, features, torch.tensor([7, 8, 9]), torch.tensor(100.0))
    assert rivals.item() == pytest.approx(2 / 3 * np.log(2), abs=1e-6)


def test_recalls_by_hand() -> None:
    images = np.eye(12, dtype=np.float32)
    texts = np.repeat(images, 5, axis=0)
    texts[0] = images[1]  # one caption describes another photo
    found = recalls(images, texts)
    assert found.text_to_image[0] == pytest.approx(100 * 59 / 60)
    # That caption is as near to photo 1 as the captions of photo 1: a tie counts against it.
    assert found.image_to_text[0] == pytest.approx(100 * 11 / 12)
    same = recalls(np.ones_like(images), np.ones_like(texts))
    assert same.text_to_image[:2] == (0.0, 0.0)


def _network() -> tuple[Layer, ...]:
    """A stem, one residual block and a head, with weights drawn as networks are started."""
    random = np.random.default_rng(1)

    def layer(name: str, source: str, shape: tuple[int, ...], **settings: object) -> Layer:
        kernel = random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
        bias = random.standard_normal(shape[0]) * 0.1
        values = {"stride": 1, "relu": True, "residual": ""} | settings
        return Layer(name, source, kernel.astype("f4"), bias.astype("f4"), **values)  # type: ignore[arg-type]

    return (
        layer("stem", INPUT, (8, 3, 3, 3), stride=2),
        layer("a_depthwise", "stem", (8, 1, 5, 5), stride=2),
        layer("b_depthwise", "a_depthwise", (8, 1, 3, 3)),
        layer("b_project", "b_depthwise", (8, 8, 1, 1), relu=False, residual="a_depthwise"),
        layer("head", "b_project+", (POOLED_DIM, 8, 1, 1)),
    )


def test_the_rounded_graph_gives_what_the_network_gives(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    coarse = random.integers(0, 256, (12, 14, 14, 3))
    pictures = np.kron(coarse, np.ones((1, 16, 16, 1))).astype(np.uint8)
    network = _network()
    path = tmp_path / "image.onnx"
    write_image_graph(path, network, calibrate(network, pictures))
    first = path.read_bytes()
    rounded = OnnxImageTower(make_session(path, threads=1), feature_dim=POOLED_DIM).encode(pictures)
    exact = pooled(network, pictures)
    error = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert error.max() < 0.03
    write_image_graph(path, network, calibrate(network, pictures))
    assert path.read_bytes() == first


def test_a_weight_never_takes_the_eighth_bit() -> None:
    layer = _network()[0]
    levels, scale, _ = round_kernel(layer, np.zeros(3, np.float32))
    assert np.abs(levels).max() == 63
    rebuilt = levels * scale[:, None, None, None]
    assert (np.abs(rebuilt - layer.kernel) <= scale[:, None, None, None] * 0.51).all()


def test_a_dead_channel_stays_dead() -> None:
    layer = _network()[0]
    layer.kernel[3] = 0
    levels, scale, bias = round_kernel(layer, np.ones(3, np.float32))
    assert (levels[3] == 0).all()
    assert np.isfinite(scale).all()
    assert bias[3] == pytest.approx(layer.bias[3])


def test_a_range_keeps_zero_and_cuts_outliers() -> None:
    values = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    scale, zero = best_range(np.append(values, np.float32(1000)), relu=True)
    assert zero == pytest.approx(255 * values.min() / (values.min() - 6), abs=60)
    assert 255 * scale < 12  # the outlier does not stretch a range that ends with ReLU6
    scale, zero = best_range(np.zeros(10, np.float32), relu=False)
    assert np.isfinite(scale)
    assert scale > 0


def test_folding_a_norm() -> None:
    weights = {
        "conv.weight": np.full((2, 1, 1, 1), 3, np.float32),
        "norm.weight": np.array([2, 2], np.float32),
        "norm.bias": np.array([1, 0], np.float32),
        "norm.running_mean": np.array([5, 0], np.float32),
        "norm.running_var": np.array([1 - 1e-3, 4 - 1e-3], np.float32),
    }
    kernel, bias = fold_norm(weights, "conv", "norm")
    np.testing.assert_allclose(kernel.ravel(), [6, 3], rtol=1e-6)
    np.testing.assert_allclose(bias, [-9, 0], atol=1e-5)


def test_rounding_columns() -> None:
    matrix = np.array([[1.0, 0.0, -8.0], [-0.5, 0.0, 2.0]], np.float32)
    levels, scale = round_columns(matrix)
    assert np.abs(levels).max() == 127
    assert (np.abs(levels * scale - matrix) <= scale / 2 + 1e-7).all()


def test_views_are_pictures_and_depend_on_the_seed() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    first = random_view(picture, np.random.default_rng((0, 2, 5)))
    assert first.shape == picture.shape
    np.testing.assert_array_equal(first, random_view(picture, np.random.default_rng((0, 2, 5))))
    assert (first != random_view(picture, np.random.default_rng((0, 2, 6)))).any()


def test_a_data_set_that_is_not_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_split(tmp_path, "test")
    (tmp_path / "Flickr_8k.testImages.txt").write_text("one.jpg\n")
    (tmp_path / "captions.csv").write_text("image_id,Caption\none.jpg,a dog\n")
    with pytest.raises(DataError, match="one.jpg has 1 captions, not 5"):
        read_split(tmp_path, "test")
    assert command.main(["--evaluate", "--data", str(tmp_path)]) == 1
    assert "error:" in capsys.readouterr().err


def test_the_readme_and_the_card_give_the_same_figures(tmp_path: Path) -> None:
    root = Path(command.__file__).parents[2]
    card = root / "c2v" / "encoder" / "weights" / "mini" / "README.md"
    tables = [table_of(file.read_text("utf-8"), file) for file in (card, root / "README.md")]
    assert tables[0] == tables[1]
    assert tables[0].count("\n| ") == 6
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    write_table(copy, "| a |\n")
    write_table(copy, "| b |\n")
    assert copy.read_text() == f"before\n{BEGIN}\n| b |\n{END}\nafter\n"
    copy.write_text("nothing")
    with pytest.raises(DataError, match="no marks"):
        write_table(copy, "| a |\n")


@pytest.mark.slow
@pytest.mark.skipif(not _SHARED.is_dir(), reason="the clips and photos are not here")
def test_the_figures_are_what_is_measured() -> None:
    root = Path(command.__file__).parents[2]
    measured = measured_table(command._SHIPPED, _SHARED)
    assert table_of((root / "README.md").read_text("utf-8"), root / "README.md") == f"\n{measured}"


def test_prototypes_are_what_the_classifier_calls_by_their_names() -> None:
    random = np.random.default_rng(3)
    photos = (random.standard_normal((400, 20)) @ random.standard_normal((20, 20))).astype("f4")
    weights = random.standard_normal((30, 20)).astype("f4")
    centres = class_centres(weights, photos)
    away = centres - photos.mean(0)
    assert ((away @ weights.T).argmax(1) == np.arange(30)).mean() > 0.8


def test_training_on_classes_brings_them_to_their_texts(pairs: tuple[Array, Array]) -> None:
    random = np.random.default_rng(4)
    hidden = random.standard_normal((40, 8))
    centres = (hidden @ random.standard_normal((8, 20))).astype("f4") * 3
    texts = (hidden @ random.standard_normal((8, 12))).astype("f4")[:, None]
    recipe = replace(SMALL, class_batch=40, class_weight=1.0, passes=30)
    found = {}
    for name, classes in (("with", Prototypes(centres, texts)), ("without", None)):
        photo, caption, _ = fit(*pairs, recipe, classes)
        scores = _score(photo, caption, centres, texts[:, 0])
        found[name] = float((scores.argmax(1) == np.arange(40)).mean())
    assert found["with"] > found["without"] + 0.3


def test_a_blended_score_is_the_sum_of_both_spaces() -> None:
    random = np.random.default_rng(5)
    learned, other = random.standard_normal((2, 30, 12)).astype("f4")
    pooled = random.standard_normal((30, 6)).astype("f4")
    classes = Classifier(*(random.standard_normal(n).astype("f4") for n in ((9, 10), 10)))
    shown = classes.probabilities(random.standard_normal((30, 9)).astype("f4"))
    np.testing.assert_allclose(shown.sum(1), 1, atol=1e-6)
    places = class_texts([random.standard_normal((10, 6)).astype("f4") for _ in range(2)])
    blend = fit_blend(places, (learned, shown), [(other, pooled)], 18)  # all there are: a rotation

    seen = 1.5 * (shown @ places - (shown @ places).mean(0))
    expected = 0.7 * unit(learned) @ unit(other).T + 0.3 * seen @ unit(pooled).T
    scores = blend.of_photos(learned, shown) @ blend.of_texts(other, pooled).T
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_the_graph_blends_as_numpy_does(tmp_path: Path) -> None:
    random = np.random.default_rng(6)

    def matrix(*shape: int) -> Array:
        made: Array = (random.standard_normal(shape) / shape[0] ** 0.5).astype("f4")
        return made

    side = {"mean": matrix(POOLED_DIM), "std": np.ones(POOLED_DIM, "f4")}
    for name, size in (("linear", (POOLED_DIM, 8)), ("up", (POOLED_DIM, 6)), ("down", (6, 8))):
        side |= {f"{name}.weight": matrix(*size), f"{name}.bias": matrix(size[1])}
    blend = Blend(matrix(8, 7), matrix(5, 7), matrix(7), matrix(4, 7))
    classes = Classifier(matrix(POOLED_DIM, 5), matrix(5))
    pictures = random.integers(0, 256, (6, 224, 224, 3)).astype(np.uint8)
    network = _network()
    ranges = calibrate(network, pictures)
    found = []
    for name, outputs in (("pooled", None), ("all", Outputs(side, classes, blend))):
        write_image_graph(tmp_path / name, network, ranges, outputs)
        width = POOLED_DIM if outputs is None else 7
        session = make_session(tmp_path / name, threads=1)
        found.append(OnnxImageTower(session, feature_dim=width).encode(pictures))
    pooled_features, blended = found
    expected = blend.of_photos(apply(side, pooled_features), classes.probabilities(pooled_features))
    assert np.abs(blended - expected).max() < 0.02 * np.abs(expected).max()  # 8-bit matrices


def test_joined_members_score_as_the_mean_of_their_cosines(pairs: tuple[Array, Array]) -> None:
    photos, captions = pairs
    members = [fit(photos, captions, replace(SMALL, seed=s)) for s in (0, 1)]
    mean = np.mean([_score(p, c, photos[0], captions[:, 0]) for p, c, _ in members], axis=0)
    joined_photos, outputs = join([p for p, _, _ in members], photos[0])
    joined_captions, others = join([c for _, c, _ in members], captions[:, 0])
    np.testing.assert_allclose(apply(joined_photos, photos[0]), outputs, atol=1e-4)
    both = _score(joined_photos, joined_captions, photos[0], captions[:, 0])
    assert np.corrcoef(both.ravel(), mean.ravel())[0, 1] > 0.99

    axes = principal_axes((outputs, others), 32)  # as many as there are: a rotation
    np.testing.assert_allclose(axes.T @ axes, np.eye(32), atol=1e-5)
    turned = _score(
        turn(joined_photos, axes), turn(joined_captions, axes), photos[0], captions[:, 0]
    )
    np.testing.assert_allclose(turned, both, atol=1e-4)
    pair = fit_ensemble(photos, captions, SMALL, members=(None, None))
    assert pair[0]["down.weight"].shape == (64, 16)


def _score(photo: Side, caption: Side, photos: Array, captions: Array) -> Array:
    a, b = apply(photo, photos), apply(caption, captions)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    cosines: Array = a @ b.T
    return cosines
