"""The right moment of films joined of clips: what is asked for is found where it is shown."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import c2v

SHARED = Path(__file__).parents[3] / "shared" / "data"
SHOWN = {
    "garage.mp4": "a motorcycle",
    "photographer.mp4": "a man with a camera",
    "departure.mp4": "a rocket launch",
    "downtown.mpg": "buildings in a city",
}


@pytest.fixture(scope="module")
def montages(load_helper: object) -> ModuleType:
    module: ModuleType = load_helper("benchmarks/montages.py")  # type: ignore[operator]
    return module


def test_a_library_of_one_film_answers_with_its_moments(
    montages: ModuleType, demo_videos: Path, tmp_path: Path
) -> None:
    clips = [
        montages.Clip(path, SHOWN.get(path.name, "")) for path in sorted(demo_videos.iterdir())
    ]
    chosen = [one for one in clips if one.caption] + [one for one in clips if not one.caption][:6]
    shots = montages.make_montages(tmp_path, chosen, seed=4)
    (film,) = {shot.film for shot in shots}
    with c2v.open(tmp_path / "library", model="mini") as library:
        library.index([film])
        assert library.status().segments > 4
        for shot in shots:
            if shot.caption:
                answer = library.search(shot.caption, top=3)  # no moments=True
                assert len(answer) == 3
                right = [shot.start <= one.best < shot.end for one in answer]
                assert any(right), shot
                spans = sorted((one.start, one.end) for one in answer)
                assert all(a[1] <= b[0] + 1e-3 for a, b in zip(spans, spans[1:], strict=False))


def test_films_joined_of_real_clips(montages: ModuleType, tmp_path: Path) -> None:
    """Seen in libraries of one film each: 63 % first, 83 % in the first three, overlap 0.82.

    The bars leave room for other processors, whose 8-bit kernels round otherwise.
    """
    if not SHARED.is_dir():
        pytest.skip("no shared/data beside the project: nothing measured")
    shots = montages.make_montages(tmp_path, montages.captioned_clips(SHARED), seed=0)
    films = sorted({shot.film for shot in shots})
    found = []
    for film in films:
        with c2v.open(tmp_path / film.stem, model="mini") as library:
            library.index([film])
            found.append(montages.found_in(library, [s for s in shots if s.film == film]))
    assert sum(one.first for one in found) / len(films) >= 0.55
    assert sum(one.in_three for one in found) / len(films) >= 0.78
    assert sum(one.overlap for one in found) / len(films) >= 0.75
