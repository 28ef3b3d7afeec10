"""AdaGAN's toy: clusters in a plane, of which one small GAN finds some and an ensemble finds more.

    python -m benchmarks.models.adagan_toy [--seeds 10] [--members 5] [--anew]

The star rule stands beside members that are trained alike and mixed without reweighting. Coverage is AdaGAN's
(arXiv:1701.02386, section 4): the part of the data that lies where the mixture has 95 % of its density. A
mode is found where the mixture puts at least a fifth of the mode's due share. Writes
benchmarks/results/adagan_toy.json after each seed, goes on with the seeds that it lacks, and draws
docs/images/adagan_toy.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import gaussian_kde
from torch import nn
from torch.nn import functional

from benchmarks.record import REPOSITORY, RESULTS, Row, describe_circumstances, print_rows, write_record
from calokit.arrays import Float32, Float64
from calokit.compute.draws import Draws, Purpose, draw_generator, seed_layers
from calokit.ensembles.density_ratio import MixtureJudge, ratio_of
from calokit.ensembles.reweighting import next_shares, star_weights

PICTURE = REPOSITORY / "docs" / "images" / "adagan_toy.png"
MODES, SPREAD, HALF_WIDTH = 9, 0.35, 10.0
POINTS = 4_000
LATENT, WIDTH, BATCH = 5, 32, 128
FOUND = 0.2
"""A mode is found where the mixture puts so much of its due share."""
WITHIN = 3.0
"""A point belongs to a mode up to so many spreads away."""
MASS = 0.95


@dataclass(frozen=True)
class Clusters:
    """Equal clusters in a plane.

    Attributes:
        centres: (mode, 2).
        points: (point, 2) of the data.
    """

    centres: Float64
    points: Float32

    @classmethod
    def draw(cls, seed: int) -> Clusters:
        """Return clusters whose centres lie anywhere in a square."""
        rng = np.random.default_rng(seed)
        centres = rng.uniform(-HALF_WIDTH, HALF_WIDTH, (MODES, 2))
        chosen = rng.integers(0, MODES, POINTS)
        points = centres[chosen] + SPREAD * rng.normal(size=(POINTS, 2))
        return cls(centres, points.astype(np.float32))

    def modes_found(self, made: Float32) -> float:
        """Return the part of the modes that a sample (point, 2) has."""
        distances = np.linalg.norm(made[:, None] - self.centres, axis=2)
        near = distances.argmin(1)[distances.min(1) < WITHIN * SPREAD]
        counts = np.bincount(near, minlength=MODES)
        return float((counts > FOUND * len(made) / MODES).mean())

    def coverage(self, made: Float32) -> float:
        """Return the part of the data where a sample (point, 2) has most of its density."""
        density = gaussian_kde(made.T + 1e-6 * np.random.default_rng(1).normal(size=made.T.shape), 0.05)
        least = np.quantile(density(made[::4].T), 1 - MASS)
        return float((density(self.points[::4].T) > least).mean())


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Return a network of two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs)
    )


class Member:
    """A small GAN for points in a plane.

    Args:
        seed: Of weights and draws.
    """

    def __init__(self, seed: int) -> None:
        seed_layers(seed, Purpose.INITIAL_WEIGHTS, 0)
        self.generator, self.judge = network(LATENT, 2), network(2, 1)
        self.draws = Draws(draw_generator(seed, Purpose.TRAINING, 0))
        self.rng = np.random.default_rng(seed)

    def train(self, points: Float32, weights: Float64, steps: int) -> None:
        """Train on points (point, 2), each drawn in proportion to its weight."""
        optimisers = [
            torch.optim.Adam(part.parameters(), lr=1e-3, betas=(0.5, 0.999))
            for part in (self.generator, self.judge)
        ]
        chosen = self.rng.choice(len(points), (steps, BATCH), p=weights / weights.sum())
        for rows in chosen:
            real = torch.from_numpy(points[rows] / HALF_WIDTH)
            fake = self.generator(self.draws.normal(BATCH, LATENT))
            told = functional.softplus(-self.judge(real)).mean()
            told = told + functional.softplus(self.judge(fake.detach())).mean()
            for optimiser, loss in ((optimisers[1], told), (optimisers[0], None)):
                optimiser.zero_grad()
                torch.autograd.backward(
                    functional.softplus(-self.judge(fake)).mean() if loss is None else loss
                )
                optimiser.step()

    @torch.no_grad()
    def sample(self, count: int) -> Float32:
        """Return points (count, 2)."""
        made: Float32 = (HALF_WIDTH * self.generator(self.draws.normal(count, LATENT))).numpy()
        return made


def mix(members: list[Member], shares: tuple[float, ...], count: int, seed: int) -> Float32:
    """Return points (count, 2) of a mixture, the member drawn for each."""
    chosen = np.random.default_rng(seed).choice(len(members), count, p=np.array(shares) / sum(shares))
    made = np.empty((count, 2), np.float32)
    for number, member in enumerate(members):
        made[chosen == number] = member.sample(int((chosen == number).sum()))
    return made


@dataclass(frozen=True)
class Stage:
    """An ensemble after one more member: its weights (point,) and a sample (point, 2)."""

    weights: Float64
    made: Float32


def build(clusters: Clusters, seed: int, members: int, steps: int, reweighted: bool) -> list[Stage]:
    """Build an ensemble and return what it was after each member."""
    uniform = np.full(POINTS, 1 / POINTS)
    shares: tuple[float, ...] = (1.0,)
    weights, own, stages = uniform, list[Member](), list[Stage]()
    for number in range(1, members + 1):
        if number > 1:
            shares = next_shares(shares, 1 / number)
        if number > 1 and reweighted:
            found, _ = MixtureJudge(seed=seed + number).probabilities(clusters.points, stages[-1].made)
            weights = star_weights(ratio_of(found), 1 / number)
        member = Member(1000 * seed + number)
        member.train(clusters.points, weights, steps)
        own.append(member)
        stages.append(Stage(weights, mix(own, shares, POINTS, seed)))
    return stages


def draw_picture(clusters: Clusters, stages: list[Stage]) -> None:
    """Draw data, weights and samples after one, two and all members."""
    from calokit.report.figures.style import figure_style, fix_layout, new_plot, save_figure

    shown = [1, 2, len(stages)]
    with figure_style():
        figure = new_plot(4.0 * len(shown), 4.4)
        for axes, number in zip(figure.subplots(1, len(shown)), shown, strict=True):
            stage = stages[number - 1]
            size = 2 + 12 * stage.weights / stage.weights.max()
            axes.scatter(*clusters.points.T, s=size, color="tab:red", alpha=0.25, linewidths=0, label="data")
            axes.scatter(*stage.made[::4].T, s=3, color="tab:blue", linewidths=0, label="mixture")
            found = f"{clusters.modes_found(stage.made) * MODES:.0f} of {MODES} modes"
            axes.set_title(f"{number} member{'s' if number > 1 else ''}: {found}")
            axes.set_xlabel("x")
            axes.set_xlim(-1.2 * HALF_WIDTH, 1.2 * HALF_WIDTH)
            axes.set_ylim(-1.2 * HALF_WIDTH, 1.2 * HALF_WIDTH)
        figure.axes[0].set_ylabel("y")
        figure.axes[0].legend(loc="upper right", markerscale=3)
        fix_layout(figure)
    save_figure(figure, PICTURE)


Pairs = dict[tuple[str, int], list[tuple[float, float]]]
"""By rule and number of members: modes found and coverage, a pair a seed."""


def measure(seed: int, members: int, steps: int) -> Pairs:
    """Return what the ensembles of one seed cover; the first seed is drawn."""
    clusters = Clusters.draw(seed)
    found: Pairs = {}
    for reweighted, name in ((True, "star"), (False, "without reweighting")):
        stages = build(clusters, seed, members, steps, reweighted)
        if seed == 1 and reweighted:
            draw_picture(clusters, stages)
        for number, stage in enumerate(stages, start=1):
            found[name, number] = [(clusters.modes_found(stage.made), clusters.coverage(stage.made))]
    return found


def add_seeds(rows: Sequence[Row], before: int, found: Pairs) -> list[Row]:
    """Return rows of means and errors over the seeds of other rows and of what was found.

    Args:
        rows: Means and standard errors over the first seeds; none before the first.
        before: How many seeds these are of.
        found: What further seeds gave.

    Example:
        >>> pairs = [(0.2, 0.4), (0.6, 0.5), (0.7, 0.9)]
        >>> whole = add_seeds([], 0, {("star", 1): pairs})
        >>> parts = add_seeds(add_seeds([], 0, {("star", 1): pairs[:2]}), 2, {("star", 1): pairs[2:]})
        >>> [round(whole[0][name] - parts[0][name], 12) for name in ("coverage", "coverage, error")]
        [0.0, 0.0]
    """
    known = {(row["rule"], row["members"]): row for row in rows}
    joined: list[Row] = []
    for (rule, members), pairs in found.items():
        row: Row = {"rule": rule, "members": members}
        for name, values in zip(("modes found", "coverage"), np.transpose(pairs), strict=True):
            sums = np.array([len(values), values.sum(), np.square(values).sum()])
            if before:
                mean, error = known[rule, members][name], known[rule, members][f"{name}, error"]
                sums += [before, before * mean, before * mean**2 + before * (before - 1) * error**2]
            count, mean = sums[0], sums[1] / sums[0]
            spread = max(sums[2] - count * mean**2, 0.0) / max(count - 1, 1)
            row |= {name: float(mean), f"{name}, error": float(np.sqrt(spread / count))}
        joined.append(row)
    return joined


def main() -> None:
    """Run the seeds that the record does not have yet; write it after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--anew", action="store_true", help="forget the record")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    facts = {"modes": MODES, "points": POINTS, "steps": arguments.steps}
    path = RESULTS / "adagan_toy.json"
    record = json.loads(path.read_text()) if path.is_file() and not arguments.anew else {"settings": {}}
    known: dict[str, int] = record["settings"]
    if {name: known.get(name) for name in facts} != facts:
        record = {"settings": {"seeds": 0}, "rows": []}
    rows, done = record["rows"], record["settings"]["seeds"]
    circumstances = describe_circumstances(1)
    for seed in range(done + 1, arguments.seeds + 1):
        rows = add_seeds(rows, seed - 1, measure(seed, arguments.members, arguments.steps))
        write_record("adagan_toy", rows, circumstances, **facts, seeds=seed)
        print(f"seed {seed} of {arguments.seeds}", flush=True)
    print_rows("clusters found", rows, circumstances)


if __name__ == "__main__":
    main()
