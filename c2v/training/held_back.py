"""A run that is judged on videos held back for good, and weights that are taken of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from c2v.training.choosing import Verdict, choose, forgets
from c2v.training.guard import Guard
from c2v.training.interpolation import ShareTrial, mixed_weights, try_shares, weights_of
from c2v.training.loop import Trainer
from c2v.training.outcome import Outcome
from c2v.training.validation import Ranking, score


def run_once(trainer: Trainer, guard: Guard | None, *, resume: bool) -> Outcome:
    """Train, and leave in the trainee what is best of the way there on the videos held back.

    Raises:
        DataError: the loss is no number, or the checkpoint is of another run.
    """
    ended = trainer.run(resume=resume)
    if ended.interrupted:
        return Outcome.broken_off(ended)
    texts, owner, videos = trainer.material.validation()
    trials = try_shares(
        trainer.trainee,
        trainer.start,
        weights_of(trainer.trainee),
        view=lambda: score(trainer.trainee, texts, videos),
        owner=owner,
        guard=guard,
    )
    return Outcome.chosen(take(trainer, trials, guard), ended, ended.history)


def take(trainer: Trainer, trials: Sequence[ShareTrial], guard: Guard | None) -> Verdict:
    """Choose, and put the weights that were chosen into the trainee, which holds those of the end.

    Where the trials are of other models (one for each fold), what was chosen is asked once more
    whether it forgot what the start knew; a smaller share is taken if it did.
    """
    end = weights_of(trainer.trainee)
    start = trials[0]
    left = list(trials)
    while True:
        choice = choose(left)
        taken = choice.taken
        weights = mixed_weights(trainer.start, end, choice.share)
        trainer.trainee.module.load_state_dict(weights)
        if choice.share == 0 or guard is None or start.guard is None:
            return choice
        kept = guard.view(trainer.trainee)
        now = Ranking.of(kept.mixed(taken.center_weight), range(kept.videos))
        then = Ranking.joined([start.guard])
        if not forgets(then, now):
            return replace(choice, taken=replace(taken, guard=now))
        left = [trial for trial in left if trial.share < choice.share]
