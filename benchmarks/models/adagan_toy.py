"""AdaGAN's toy: clusters in a plane, of which one small GAN finds some and an ensemble finds more.

    python -m benchmarks.models.adagan_toy [--seeds 10] [--members 5]

The star rule stands beside members that are trained alike and mixed without reweighting. Coverage is AdaGAN's
(arXiv:1701.02386, section 4): the part of the data that lies where the mixture has 95 % of its density. A
mode is found where the mixture puts at least a fifth of the mode's due share. Writes
benchmarks/results/adagan_toy.json and docs/images/adagan_toy.png.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import gaussian_kde
from torch import nn
from torch.nn import functional

from benchmarks.record import REPOSITORY, Row, describe_circumstances, print_rows, write_record
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
                (functional.softplus(-self.judge(fake)).mean() if loss is None else loss).backward()
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
    weights, shares, own, stages = uniform, (1.0,), list[Member](), list[Stage]()
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
        figure.axes[0].legend(loc="upper left", markerscale=3)
        fix_layout(figure)
    save_figure(figure, PICTURE)


def main() -> None:
    """Run all seeds, draw the first, write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for seed in range(1, arguments.seeds + 1):
        clusters = Clusters.draw(seed)
        for reweighted, name in ((True, "star"), (False, "without reweighting")):
            stages = build(clusters, seed, arguments.members, arguments.steps, reweighted)
            if seed == 1 and reweighted:
                draw_picture(clusters, stages)
            for number, stage in enumerate(stages, start=1):
                pair = clusters.modes_found(stage.made), clusters.coverage(stage.made)
                found.setdefault((name, number), []).append(pair)
        print(f"seed {seed} of {arguments.seeds}", flush=True)
    rows: list[Row] = []
    for (name, number), pairs in found.items():
        mean, error = np.mean(pairs, 0), np.std(pairs, 0, ddof=1) / np.sqrt(len(pairs))
        rows.append(
            {
                "rule": name,
                "members": number,
                "modes found": float(mean[0]),
                "modes found, error": float(error[0]),
                "coverage": float(mean[1]),
                "coverage, error": float(error[1]),
            }
        )
    circumstances = describe_circumstances(1)
    facts = {"modes": MODES, "points": POINTS, "seeds": arguments.seeds, "steps": arguments.steps}
    write_record("adagan_toy", rows, circumstances, **facts)
    print_rows("clusters found", rows, circumstances)


if __name__ == "__main__":
    main()
