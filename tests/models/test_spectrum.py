"""The map that irons lines out of the spectrum of hits."""

from __future__ import annotations

import math

import pytest
import torch

from calokit.models.flow.transforms import HitSpectrum, LogCells
from made_up_runs import draws

LINE_MEV = 0.511


def draw_hits(count: int, seed: int) -> torch.Tensor:
    """Draw hits above 0.1 MeV: a smooth spectrum with a tenth of them in one line."""
    generator = torch.Generator().manual_seed(seed)
    smooth = 0.1 * torch.exp(2.0 * torch.rand(count, generator=generator) + 1e-4)
    line = torch.rand(count, generator=generator) < 0.1
    return torch.where(line, torch.tensor(LINE_MEV), smooth)


@pytest.fixture
def fitted() -> HitSpectrum:
    spectrum = HitSpectrum(0.1, 2.1)
    spectrum.fit(draw_hits(50_000, 1))
    return spectrum


def test_inverse_brings_every_hit_back(fitted: HitSpectrum) -> None:
    hits = draw_hits(20_000, 2)
    back = fitted.inverse(fitted(hits, draws(3)))
    assert torch.allclose(back, hits, rtol=2e-5)
    on_line = hits == LINE_MEV
    assert torch.equal(back[on_line], hits[on_line])


def test_hits_beyond_the_sample_come_back_too(fitted: HitSpectrum) -> None:
    hits = torch.tensor([0.1000001, 0.5, 5.0, 5000.0])
    assert torch.allclose(fitted.inverse(fitted(hits, draws(1))), hits, rtol=1e-5)


def test_map_rises_and_starts_at_zero(fitted: HitSpectrum) -> None:
    values = fitted(torch.linspace(0.1001, 3.0, 5000), draws(1))
    assert bool((values.diff() >= -1e-6).all())
    assert 0.0 <= float(values[0]) < 0.01


def test_line_becomes_an_interval_of_its_own_share(fitted: HitSpectrum) -> None:
    """A tenth of the hits at one energy cover the values where a tenth of the smoothed density lies."""
    values = fitted(draw_hits(50_000, 4), draws(5)).sort().values
    line = fitted(torch.full((2000,), LINE_MEV), draws(6))
    share = ((values >= line.min()) & (values <= line.max())).float().mean()
    assert float(share) == pytest.approx(0.1, abs=0.01)
    density = torch.histc(values, bins=20, min=0.0, max=float(values.max()))
    plain = torch.histc(
        torch.log(draw_hits(50_000, 4) / 0.1) / 2.1, bins=20, min=0.0, max=float(values.max())
    )
    assert float(density.max() / density.mean()) < 0.75 * float(plain.max() / plain.mean())


def test_unfitted_map_is_the_scaled_logarithm() -> None:
    value = HitSpectrum(0.1, 2.1)(torch.tensor([0.1 * math.e**2.1]), draws())
    assert float(value) == pytest.approx(1.0, abs=1e-3)


def test_cells_fit_on_hits_only() -> None:
    cells = torch.zeros(1000, 4)
    cells[:, 0] = draw_hits(1000, 7)
    log_cells = LogCells(0.1, 2.1, -0.6, 0.15)
    log_cells.fit(cells)
    values = log_cells(cells, draws(1))
    assert bool((values[:, 0] > 0).all())
    assert bool((values[:, 1:] < 0).all())
    assert torch.allclose(log_cells.inverse(values), cells, rtol=2e-5)
