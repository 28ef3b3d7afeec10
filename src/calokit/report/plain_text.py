"""Signs that an output cannot write, as words and signs that every output can."""

from __future__ import annotations

import codecs
import unicodedata

FALLBACKS = {
    "σ": "sigma",
    "±": "+-",
    "×": "x",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "↓": "v",
    "↑": "^",
    "≥": ">=",
    "≤": "<=",
    "°": " degrees",
    "µ": "u",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "\N{NO-BREAK SPACE}": " ",
    **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)),
}
"""What stands for a sign that an encoding lacks; letters lose their accents, all else becomes `?`."""

ERRORS = "calokit.plain"
"""Name of the error handler, for `reconfigure(errors=...)` of a text stream."""


def fit_encoding(text: str, encoding: str) -> str:
    """Return text with what an encoding cannot write replaced, before it is laid out.

    Example:
        >>> fit_encoding("(1.2 ± 0.3)×10⁻⁴, < 2 σ", "ascii")
        '(1.2 +- 0.3)x10^-4, < 2 sigma'
        >>> fit_encoding("(1.2 ± 0.3)×10⁻⁴, < 2 σ", "latin-1")
        '(1.2 ± 0.3)×10^-4, < 2 sigma'
    """
    return text.encode(encoding, ERRORS).decode(encoding)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Handle what an encoding lacks; see `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    text = "".join(_replace_sign(sign) for sign in signs)
    before = error.object[error.start - 1 : error.start]
    raised = unicodedata.decomposition(signs[0]).startswith("<super>")
    return ("^" if raised and before.isalnum() and before.isascii() else "") + text, error.end


def _replace_sign(sign: str) -> str:
    if sign in FALLBACKS:
        return FALLBACKS[sign]
    bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return bare or "?"


codecs.register_error(ERRORS, _replace)
