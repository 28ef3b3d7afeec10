"""Judges that take a part of the time, for tests of what becomes of their numbers.

All parts, trees and clusterings are in `test_boosted_judge.py` and `test_precision_recall.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from calokit.evaluation.classifiers import boosted_judge, judgement
from calokit.evaluation.classifiers.boosted_judge import JudgeSettings, judge_by_trees
from calokit.evaluation.measures import kept


@contextmanager
def quick_judges(telling: int = 0) -> Iterator[None]:
    """Let boosted trees be 50 at most and test one part of five, and clusterings be two.

    Args:
        telling: How many of the most telling observables to name.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosted_judge, "JudgeSettings", partial(JudgeSettings, trees=50))
        patch.setattr(judgement, "judge_by_trees", partial(judge_by_trees, most_tested=1))
        patch.setattr(judgement, "MOST_TELLING", telling)
        patch.setattr(kept, "CLUSTERINGS", 2)
        yield
