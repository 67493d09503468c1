"""What one writes without c2v: one text, embedded by open_clip, looked up in an hnswlib index.

``python -m tests.benchmarks.one_shot_rival FOLDER TEXT`` prints the ten nearest paths. ``FOLDER``
is made by :func:`build`: random ViT-B/32 weights, an index with the parameters that hnswlib's own
documentation starts from (M 16, ef_construction 200) and ef 200, paths in a text file. Tuned as
the documentation of both says: no image preprocessing is made, weights come from a local
safetensors file, inference mode, ef set after loading.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ARCHITECTURE = "ViT-B-32-quickgelu"
DIM = 512
_EF = 200
_RESULTS = 10


def build(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Weights, index and paths for ``vectors`` [N, 512] in ``folder``."""
    import hnswlib
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    model = open_clip.create_model(ARCHITECTURE, pretrained=None)
    save_file(model.state_dict(), str(folder / "weights.safetensors"))
    index = hnswlib.Index(space="ip", dim=DIM)
    index.init_index(max_elements=len(vectors), M=16, ef_construction=200)
    index.add_items(vectors)
    index.save_index(str(folder / "index.bin"))
    paths = [f"/videos/{row // 1000:04d}/{row:08d}.mp4" for row in range(len(vectors))]
    (folder / "paths.txt").write_text("\n".join(paths))


def main() -> None:
    """Answer one question from a cold process."""
    import hnswlib
    import open_clip
    import torch

    folder, text = Path(sys.argv[1]), sys.argv[2]
    weights = str(folder / "weights.safetensors")
    model = open_clip.create_model(ARCHITECTURE, pretrained=weights).eval()
    tokens = open_clip.get_tokenizer(ARCHITECTURE)([text])
    with torch.inference_mode():
        query = model.encode_text(tokens, normalize=True).numpy()
    index = hnswlib.Index(space="ip", dim=DIM)
    index.load_index(str(folder / "index.bin"))
    index.set_ef(_EF)
    labels, distances = index.knn_query(query, k=_RESULTS)
    paths = (folder / "paths.txt").read_text().splitlines()
    for label, distance in zip(labels[0], distances[0], strict=True):
        print(f"{1 - distance:.3f} {paths[label]}")


if __name__ == "__main__":
    main()
