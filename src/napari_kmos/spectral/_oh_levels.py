"""Numbers of the OH airglow model: level constants of the ground state, and how bright its bands are.

Level constants: an effective Hamiltonian of a 2-Pi state in N^2 (Zare et al. 1973, J. Mol. Spectrosc. 46, 37), lambda
doubling left out, fitted to the vacuum wavelengths of Rousselot et al. (2000, A&A 354, 1134; 2,150 doublets with
N' <= 14, 0.61-2.62 micron). It meets them to 0.001 cm-1 (median), and the wavelengths measured by Oliva et al. (2013,
A&A 555, A78) to 0.002 angstrom (median; worst 0.08).

Band strengths: relative photon rates of the v'-v'' bands at 190 K, from the intensities of Rousselot et al.; bands of
dv = 3 and more are raised by 2.1 and 3.0 to meet the photon fluxes of Oliva et al. The slope is the Herman-Wallis
term: a line is brighter by exp(-slope m), m = -(N' + 1) for P, 0 for Q, N' for R.
"""

from __future__ import annotations

#: By v: term value T, spin-orbit A, rotation B, centrifugal D and H, spin-rotation gamma; all cm-1.
LEVELS = (
    (0.0000, -138.9275, 18.534750, 1.907046e-3, 1.326e-7, -0.10910),
    (3570.3523, -139.1980, 17.823811, 1.868780e-3, 1.283e-7, -0.10374),
    (6975.0925, -139.4658, 17.122459, 1.835400e-3, 1.264e-7, -0.09817),
    (10216.1462, -139.7255, 16.427959, 1.806754e-3, 1.236e-7, -0.09234),
    (13294.6120, -139.9655, 15.737162, 1.785171e-3, 1.227e-7, -0.08634),
    (16210.5984, -140.1715, 15.045684, 1.767629e-3, 1.024e-7, -0.08008),
    (18962.9917, -140.3340, 14.348767, 1.763058e-3, 0.846e-7, -0.06968),
    (21549.1772, -140.4024, 13.639443, 1.772813e-3, 0.649e-7, -0.06121),
    (23964.6400, -140.3267, 12.908917, 1.800393e-3, 0.216e-7, -0.05226),
    (26202.4390, -140.0392, 12.146153, 1.871971e-3, 0.396e-7, -0.03989),
)

#: (v', v''): relative photon rate, Herman-Wallis slope.
BANDS = {
    (2, 0): (2089, 0.028),
    (3, 1): (3394, 0.028),
    (4, 2): (3612, 0.029),
    (5, 3): (3248, 0.031),
    (6, 4): (2602, 0.033),
    (7, 5): (1894, 0.037),
    (8, 6): (1245, 0.043),
    (9, 7): (726, 0.053),
    (3, 0): (165, 0.028),
    (4, 1): (454, 0.023),
    (5, 2): (672, 0.021),
    (6, 3): (817, 0.020),
    (7, 4): (912, 0.020),
    (8, 5): (964, 0.019),
    (9, 6): (949, 0.020),
    (4, 0): (14, 0.035),
    (5, 1): (35, 0.033),
    (6, 2): (70, 0.027),
    (7, 3): (101, 0.024),
    (8, 4): (128, 0.021),
    (9, 5): (162, 0.018),
    (9, 4): (18, 0.030),
}

#: Share and temperature of the hot part of the rotational levels (lines with N' up to 17 in Oliva et al. 2013).
HOT_FRACTION = 0.004
HOT_TEMPERATURE_K = 5000.0

#: O2 a-X 0-0: origin, B and D of the upper level, B, D, spin-spin and spin-rotation of the lower; cm-1
#: (Herzberg & Herzberg 1947, ApJ 105, 353, with modern values rounded).
O2_LEVELS = (7882.425, 1.41784, 5.10e-6, 1.43768, 4.84e-6, 1.98475, -0.00843)
#: Relative photon rate of the whole O2 band, on the scale of `BANDS` times their line strengths.
O2_STRENGTH = 4000.0
