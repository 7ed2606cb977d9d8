"""Which part of the absorption is that of water: it alone changes from hour to hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: From a wavelength in micron on, water's part of the optical depth, rounded: H2O against O2 (1.27), CO2 (1.58, 1.61,
#: 1.96, 2.01, 2.06) and CH4 (1.67, 2.2-2.5); see the atmosphere of Smette et al. (2015, A&A 576, A77).
_PARTS = (
    (0.000, 1.00),
    (1.245, 0.05),
    (1.295, 1.00),
    (1.565, 0.10),
    (1.625, 0.20),
    (1.740, 1.00),
    (1.950, 0.85),
    (1.994, 0.10),
    (2.085, 0.50),
    (2.150, 0.10),
    (2.370, 0.30),
    (2.410, 0.60),
)
#: Over so many micron a part goes over to the next.
_SMOOTH_UM = 0.004


def water_share(wavelength_um: Floats) -> Floats:
    """Return the part of the optical depth of the atmosphere that is water's, 0 to 1, shape of the wavelengths.

    A curve by bands, not by lines: where bands overlap it is their mean.

    Examples
    --------
    >>> import numpy as np
    >>> water_share(np.array([1.93, 2.02, 2.30])).round(2).tolist()
    [1.0, 0.1, 0.1]
    """
    places = np.array([start for start, _ in _PARTS[1:]])
    steps = np.diff([part for _, part in _PARTS])
    rise = 0.5 * (1 + np.tanh((wavelength_um[:, None] - places) / _SMOOTH_UM))
    return np.asarray(_PARTS[0][1] + rise @ steps)
