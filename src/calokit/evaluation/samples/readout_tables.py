"""What the judge sees of samples behind a readout: all are digitised alike before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from calokit.arrays import Integer
from calokit.evaluation.classifiers.boosted_judge import FeatureTable, join_tables
from calokit.evaluation.classifiers.judgement import JudgedTables
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.samples.streams import Comparison, SampleStream
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.evaluation.topology.features import FeatureMaker
from calokit.evaluation.topology.lines import FineSpectrum, SpectralLine
from calokit.showers import Showers
from calokit.showers.digitisation import Digitisation
from calokit.showers.hits import find_hits

LINE_SHOWERS = 20_000
"""So many showers of the reference are searched for spectral lines, at most."""
_STREAM = 5
REFERENCE, GENERATED, FLOOR = range(3)
"""Each sample has noise of its own."""


class ReadOutSamples:
    """Reads the samples of a comparison behind a readout, each with noise of its own.

    Args:
        comparison: The samples.
        positions: (shower,) rising: which showers of each.
        readout: The readout, with a threshold above 0.
        seed: Of the noise.
    """

    def __init__(self, comparison: Comparison, positions: Integer, readout: Digitisation, seed: int) -> None:
        self.comparison, self.positions = comparison, positions
        self.readout, self.seed = readout, seed
        # what is read lies at the threshold or above, but for rounding
        self.threshold = readout.threshold * (readout.mip_mev or 1.0) * (1.0 - 1e-6)

    def tabulate(self, tell: Callable[[float], None], memory: TruthMemory | None = None) -> JudgedTables:
        """Return the table of each sample.

        Args:
            tell: Called with the part done (0 to 1).
            memory: Where the tables of reference and floor are kept.
        """
        known = memory or TruthMemory()
        calculator = ObservableCalculator(self.comparison.detector, self.threshold)
        maker = FeatureMaker(calculator, known.recall("read out, lines", self._find_lines))
        made = self._table(maker, self.comparison.generated, GENERATED)
        tell(1.0 / 3.0)
        reference = known.recall(
            "read out, reference", lambda: self._table(maker, self.comparison.reference, REFERENCE)
        )
        tell(2.0 / 3.0)
        floor = known.recall("read out, floor", lambda: self._table(maker, self.comparison.floor, FLOOR))
        tell(1.0)
        return JudgedTables(reference, made, floor)

    def _table(self, maker: FeatureMaker, stream: SampleStream, side: int) -> FeatureTable:
        table = join_tables([maker(part) for part in self._read(stream, side, len(self.positions))])
        assert table is not None
        return table

    def _find_lines(self) -> tuple[SpectralLine, ...]:
        spectrum = FineSpectrum(self.threshold)
        for showers in self._read(self.comparison.reference, REFERENCE, LINE_SHOWERS):
            spectrum.add(find_hits(showers, self.threshold).energy)
        return spectrum.find_lines()

    def _read(self, stream: SampleStream, side: int, most: int) -> Iterator[Showers]:
        """Go through the chosen showers of a sample, digitised; whole blocks until there are so many."""
        done = 0
        for start, stop in self.comparison.blocks():
            first, last = np.searchsorted(self.positions, [start, stop])
            if first == last:
                continue
            chosen = self.comparison.read(stream, start, stop)[self.positions[first:last] - start]
            random = np.random.default_rng(np.random.SeedSequence([self.seed, side, start, _STREAM]))
            yield replace(chosen, energies=self.readout.apply(chosen.energies, random))
            done += len(chosen)
            if done >= most:
                return
