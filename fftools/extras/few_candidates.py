"""Goodness of a few candidate labels, which a cheap answer proposes."""

import torch
from torch import Tensor

from fftools.inputs import expect
from fftools.learner import Scores
from fftools.rules.forward_forward import ForwardForward


@torch.no_grad()
def scores(learner: ForwardForward, images: Tensor, candidates: int, propose: Scores,
             least: float = 0.0) -> Tensor:  # fmt: skip
    """`learner.scores` for the candidate labels, −∞ for the others: `(N, classes)` float32.

    candidates   so many labels are asked about, the highest of `propose`; all of them: `learner.scores`
    propose      cheap scores, such as those of a `LinearReadout`
    least        labels to which softmax(`propose`) gives less are not asked about, but for the highest

    A candidate without rivals wins without a further pass: +∞. So the cost in passes is that of `propose`
    and, over images with two candidates or more, their mean number. Raises ValueError for numbers out of
    range.
    """
    logits, classes = propose(images).float(), learner.label.classes
    fits = 1 <= candidates <= classes == logits.shape[1] and 0 <= least <= 1
    wanted = f"need 1 to {classes} candidates, a score for each label and least between 0 and 1"
    expect(fits, wanted, candidates=candidates, scores=logits.shape[1], least=least)
    labels = logits.topk(candidates, 1).indices
    asked = logits.softmax(1).gather(1, labels) >= least
    asked[:, 0] = True
    alone = asked.sum(1) == 1
    found = torch.full_like(logits, -torch.inf)
    found[alone, labels[alone, 0]] = torch.inf
    for column, ask in zip(labels.T, (asked & ~alone[:, None]).T):
        if len(rows := ask.nonzero()[:, 0]):
            found[rows, column[rows]] = learner.judge(images[rows], column[rows])
    return found
