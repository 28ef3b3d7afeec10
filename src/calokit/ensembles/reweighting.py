"""How much the next member of an ensemble shall learn of each training example (AdaGAN, arXiv:1701.02386).

All rules take the ratio r = dP_mixture / dP_data at each example (1 where the mixture of the members before
is perfect, 0 where it makes nothing) and beta, the share that the next member will have in the new mixture.
Weights sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calokit.arrays import Float64
from calokit.errors import ConfigurationError

BISECTIONS = 200
NEVER = 1e-12
"""A ratio below it is none at all."""


def star_weights(ratio: Float64, beta: float) -> Float64:
    """Return the weights that bring the new mixture closest to the data (theorem 1, by sorting).

    w_i = (lambda - (1 - beta) r_i)_+ / (beta N), with the lambda that makes them sum to 1.

    Args:
        ratio: (example,).
        beta: Above 0, at most 1.

    Raises:
        ConfigurationError: A ratio is negative or not finite, or beta is no share.

    Example:
        >>> star_weights(np.ones(4), 0.5).tolist(), star_weights(np.array([0.0, 1.0]), 0.5).tolist()
        ([0.25, 0.25, 0.25, 0.25], [0.75, 0.25])
    """
    _check(ratio, beta)
    rising = np.sort((1.0 - beta) * ratio)
    counts = np.arange(1, len(ratio) + 1)
    levels = (beta * len(ratio) + np.cumsum(rising)) / counts
    below = np.append(levels[:-1] <= rising[1:], True)
    level = levels[int(np.argmax(below))]
    weights: Float64 = np.maximum(level - (1.0 - beta) * ratio, 0.0) / (beta * len(ratio))
    return weights


def star_weights_by_bisection(ratio: Float64, beta: float) -> Float64:
    """Return the weights of `star_weights`, found by bisection of lambda.

    Args:
        ratio: (example,).
        beta: Above 0, at most 1.

    Raises:
        ConfigurationError: As `star_weights`.
    """
    _check(ratio, beta)
    scaled, wanted = (1.0 - beta) * ratio, beta * len(ratio)
    level = _bisect(
        float(scaled.min()),
        float(scaled.max()) + beta,
        lambda level: np.maximum(level - scaled, 0.0).sum() < wanted,
    )
    weights: Float64 = np.maximum(level - scaled, 0.0)
    weights /= weights.sum()
    return weights


def dagger_weights(ratio: Float64, beta: float) -> Float64:
    """Return the weights of the weaker optimum (theorem 2): w_i = (1 - lambda (1 - beta) r_i)_+ / (beta N).

    Where more than a share beta of the examples is missed altogether, those alone have weight, equally.

    Args:
        ratio: (example,).
        beta: Above 0, at most 1.

    Raises:
        ConfigurationError: As `star_weights`.
    """
    _check(ratio, beta)
    scaled, wanted = (1.0 - beta) * ratio, beta * len(ratio)
    missed = scaled <= NEVER
    if missed.sum() >= wanted:
        alone: Float64 = missed / missed.sum()
        return alone
    factor = _bisect(
        0.0,
        1.0 / float(scaled[~missed].min()),
        lambda factor: np.maximum(1.0 - factor * scaled, 0.0).sum() > wanted,
    )
    weights: Float64 = np.maximum(1.0 - factor * scaled, 0.0)
    weights /= weights.sum()
    return weights


def top_weights(ratio: Float64, share: float) -> Float64:
    """Return equal weights for the share of the examples that the mixture misses most.

    Args:
        ratio: (example,).
        share: Above 0, at most 1.

    Raises:
        ConfigurationError: As `star_weights`.
    """
    _check(ratio, share)
    count = max(1, round(share * len(ratio)))
    weights = np.zeros(len(ratio))
    weights[np.argsort(ratio, kind="stable")[:count]] = 1.0 / count
    return weights


def bagging_weights(examples: int, rng: np.random.Generator) -> Float64:
    """Return the weights of a bootstrap sample: no look at the mixture at all.

    Args:
        examples: How many.
        rng: Decides the sample.
    """
    return np.bincount(rng.integers(0, examples, examples), minlength=examples) / examples


def next_shares(shares: tuple[float, ...], beta: float) -> tuple[float, ...]:
    """Return the shares of the members when one more comes in with the share beta.

    Example:
        >>> next_shares((0.5, 0.5), 1 / 3)
        (0.33333333333333337, 0.33333333333333337, 0.3333333333333333)
    """
    return (*((1.0 - beta) * share for share in shares), beta)


def _bisect(low: float, high: float, is_below: Callable[[float], bool]) -> float:
    """Return where a condition that holds from `low` on ends, before `high`."""
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return 0.5 * (low + high)


def _check(ratio: Float64, beta: float) -> None:
    if not (0.0 < beta <= 1.0):
        raise ConfigurationError(f"beta is {beta}; a share above 0 and at most 1 is needed.")
    if len(ratio) == 0 or not np.isfinite(ratio).all() or (ratio < 0).any():
        raise ConfigurationError(
            "ratios of densities must be finite and not negative, of one example at least."
        )
