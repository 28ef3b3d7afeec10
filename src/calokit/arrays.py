"""Names of array types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Integer = NDArray[np.int64]
Flags = NDArray[np.bool_]
