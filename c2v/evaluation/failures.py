"""Query by query: who was found instead. A CSV of all, a page of the worst with pictures."""

from __future__ import annotations

import base64
import csv
import html
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2v.errors import C2VError, MediaError
from c2v.evaluation.retrieval import Evaluation
from c2v.files.drafts import output_draft
from c2v.media.thumbnails import jpeg, thumbnail

WINNERS = 3
WORST = 50
_SIDE = 160

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #222; background: #fff; }
section { border-top: 1px solid #ccc; padding: 1rem 0; }
figure { display: inline-block; width: 160px; margin: .5rem 1rem 0 0; vertical-align: top; }
figure img, figure .none { width: 160px; height: 160px; border-radius: 4px; background: #ddd; }
figure.own img { outline: 3px solid #2a7; }
figcaption { font-size: 12px; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One caption, the rank of its video, and the videos that came first."""

    text: str
    path: str
    rank: int
    winners: tuple[str, ...]
    winner_scores: tuple[float, ...]
    own_score: float


def query_results(evaluation: Evaluation) -> list[QueryResult]:
    """Every caption, in the order of the file."""
    scores = evaluation.scores
    ranks = scores.ranks()
    matrix = scores.text_to_video
    best = np.argsort(-matrix, axis=1, kind="stable")[:, :WINNERS]
    return [
        QueryResult(
            text=text,
            path=scores.paths[scores.owner[row]],
            rank=int(ranks[row]),
            winners=tuple(scores.paths[column] for column in best[row]),
            winner_scores=tuple(float(matrix[row, column]) for column in best[row]),
            own_score=float(matrix[row, scores.owner[row]]),
        )
        for row, text in enumerate(scores.texts)
    ]


def check_target(path: Path | None) -> None:
    """Say before videos are read for hours that a file cannot be written.

    Raises:
        C2VError: its folder is not there, or it is a folder itself.
    """
    if path is None:
        return
    if path.is_dir():
        raise C2VError(f"{path} cannot be written: it is a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise C2VError(
            f"{path} cannot be written: there is no such folder", hint=f"mkdir -p {path.parent}"
        )


def write_queries(evaluations: list[Evaluation], path: Path) -> None:
    """A CSV with a row for each model and caption.

    Raises:
        C2VError: it cannot be written.
    """
    header = ["model", "query", "video", "rank", "score"]
    for place in range(1, WINNERS + 1):
        header += [f"winner_{place}", f"score_{place}"]
    try:
        with (
            output_draft(path) as draft,
            draft.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(header)
            for evaluation in evaluations:
                for result in query_results(evaluation):
                    row = [evaluation.model, result.text, result.path, str(result.rank)]
                    row.append(f"{result.own_score:.6f}")
                    for winner, score in zip(result.winners, result.winner_scores, strict=True):
                        row += [winner, f"{score:.6f}"]
                    writer.writerow(row)
    except OSError as error:
        raise C2VError(f"{path} cannot be written: {error.strerror}") from error


def write_page(evaluation: Evaluation, path: Path) -> None:
    """An HTML page, complete in itself, of the captions whose video came last.

    Raises:
        C2VError: it cannot be written.
    """
    results = [result for result in query_results(evaluation) if result.rank > 1]
    worst = sorted(results, key=lambda result: -result.rank)[:WORST]
    recall = evaluation.metrics.text_to_video
    plain = evaluation.normalize == "none"
    name = html.escape(evaluation.model + ("" if plain else f" + {evaluation.normalize}"))
    title = f"the {len(worst)} worst of {evaluation.texts}" if worst else "no failures"
    head = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
        f"content='width=device-width'><title>c2v: {name}</title><style>{_STYLE}</style>"
        f"<h1>{name}: {title}</h1>"
        f"<p>R@1 {recall.recall_at_1:.1f}, R@5 {recall.recall_at_5:.1f}, among "
        f"{evaluation.videos} videos. The right video has a green frame.</p>"
    )
    pictures: dict[str, str] = {}
    body = "".join(_section(result, pictures) for result in worst)
    try:
        with output_draft(path) as draft:
            draft.write_text(head + body + "</html>\n", encoding="utf-8")
    except OSError as error:
        raise C2VError(f"{path} cannot be written: {error.strerror}") from error


def _section(result: QueryResult, pictures: dict[str, str]) -> str:
    figures = [_figure(result.path, f"rank {result.rank}, {result.own_score:.3f}", "own", pictures)]
    for place, (path, score) in enumerate(
        zip(result.winners, result.winner_scores, strict=True), start=1
    ):
        figures.append(_figure(path, f"{place}. {score:.3f}", "", pictures))
    return f"<section><h3>{html.escape(result.text)}</h3>{''.join(figures)}</section>"


def _figure(path: str, label: str, kind: str, pictures: dict[str, str]) -> str:
    if path not in pictures:
        pictures[path] = _thumbnail(path)
    name = html.escape(Path(path).name.encode("utf-8", "replace").decode())
    return (
        f"<figure class='{kind}'>{pictures[path]}"
        f"<figcaption>{html.escape(label)}<br>{name}</figcaption></figure>"
    )


def _thumbnail(path: str) -> str:
    """The picture in the middle of a video as an <img>, or a grey square with the reason."""
    try:
        pixels = thumbnail(Path(path), None, _SIDE)
    except MediaError as error:
        return f"<div class='none' title='{html.escape(str(error), quote=True)}'></div>"
    encoded = base64.b64encode(jpeg(pixels)).decode()
    return f"<img alt='' src='data:image/jpeg;base64,{encoded}'>"
