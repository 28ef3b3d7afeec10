"""Numbers rounded to their error, written for a terminal, a page or a figure."""

from __future__ import annotations

from dataclasses import dataclass

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class RoundedValue:
    """A value and its error, both rounded to the digits that the error leaves meaningful."""

    value: str
    error: str
    """Empty where no error is known."""
    exponent: int = 0
    """Power of ten that multiplies both."""

    def plain(self) -> str:
        """Return text for a terminal or a page, such as `0.512 ± 0.003` or `(1.2 ± 0.3)×10⁻⁴`."""
        return self._join("±", self._plain_power())

    def lines(self) -> str:
        """Return the same for a narrow column: the error on a second line."""
        power = self._plain_power()
        return f"{self.value}{power}\n± {self.error}{power}" if self.error else f"{self.value}{power}"

    def mathtext(self) -> str:
        """Return the same for a figure's text, in matplotlib's mathematical notation."""
        power = rf"$\times10^{{{self.exponent}}}$" if self.exponent else ""
        return self._join(r"$\pm$", power)

    def _plain_power(self) -> str:
        return f"×10{str(self.exponent).translate(_SUPERSCRIPTS)}" if self.exponent else ""

    def _join(self, sign: str, power: str) -> str:
        if not self.error:
            return f"{self.value}{power}"
        both = f"{self.value} {sign} {self.error}"
        return f"({both}){power}" if power else both


def round_to_error(value: float, error: float) -> RoundedValue:
    """Round a value to the first digit of its error (two digits where the error begins with a 1).

    Args:
        value: The number, of any unit.
        error: Its standard error, of the same unit; 0 where it has none (three digits are then shown).

    Returns:
        The rounded pair; a power of ten is split off below 1e-3 and from 1e5 on.

    Example:
        >>> round_to_error(0.51234, 0.0031).plain()
        '0.512 ± 0.003'
        >>> round_to_error(1.234e-4, 2.6e-5).plain()
        '(1.2 ± 0.3)×10⁻⁴'
    """
    exponent = _exponent_of(max(abs(value), abs(error)))
    exponent = 0 if -3 <= exponent < 5 else exponent
    value, error = _scaled(value, exponent), _scaled(error, exponent)
    if error <= 0.0:
        return RoundedValue(f"{_round_significant(value, 3)}", "", exponent)
    digits = -int(f"{error:.0e}".split("e")[1])
    if f"{error:.1e}".startswith("1"):
        digits = 1 - int(f"{error:.1e}".split("e")[1])
    places = max(digits, 0)
    return RoundedValue(
        f"{round(value, digits) + 0.0:.{places}f}", f"{round(error, digits):.{places}f}", exponent
    )


def round_plainly(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits and no power of ten, such as `0.0123` or `5400`.

    Example:
        >>> round_plainly(0.012345), round_plainly(12.0), round_plainly(5432.1)
        ('0.0123', '12.0', '5432')
    """
    return _round_significant(value, digits)


def _round_significant(value: float, digits: int) -> str:
    places = max(digits - 1 - _exponent_of(abs(value)), 0)
    return f"{value + 0.0:.{places}f}"


def _exponent_of(size: float) -> int:
    return int(f"{size:.15e}".split("e")[1]) if size > 0.0 else 0


def _scaled(value: float, exponent: int) -> float:
    return value / 10.0**exponent if exponent >= 0 else value * 10.0 ** (-exponent)
