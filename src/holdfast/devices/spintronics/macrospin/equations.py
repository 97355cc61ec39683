r"""The equation of motion of a macrospin and the current through its stack, written once for compiled kernels and for tensors.

The Landau-Lifshitz-Gilbert equation with Slonczewski's torques, for the unit vector :math:`m` of the free layer,

.. math:: \dot m = -\gamma_0\, m \times (H + b) + \alpha\, m \times \dot m - \gamma_0\, m \times (m \times a),

is solved for :math:`\dot m` (T. L. Gilbert, IEEE Trans. Magn. 40 (2004) 3443; J. C. Slonczewski, J. Magn. Magn. Mater. 159 (1996)
L1):

.. math:: \dot m = -\frac{\gamma_0}{1+\alpha^2}\, m \times (A + m \times B), \qquad A = H' - \alpha a,\quad B = \alpha H' + a,

where :math:`H' = H + b`, :math:`a` is the damping-like field (it pulls :math:`m` towards it) and :math:`b` the field-like one. Both
are vectors, so that several sources of torque add up. Two sublattices of an antiferromagnet obey the same equation and feel each
other's magnetisation as an exchange field.

Each function is plain arithmetic: numba compiles it into the kernels of :mod:`~holdfast.devices.spintronics.macrospin.kernels`, and
:mod:`~holdfast.devices.spintronics.macrospin.tensors` calls it with tensors. All of a device's numbers stand in the rows of one
array `c` (the constants of this module name them); `i` is the device's lane in a block. Fields come multiplied by
:math:`\gamma_0/(1+\alpha^2)` and, inside an integrator, by the time step, so that a torque is the change of :math:`m` in a step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from holdfast.devices.spintronics.lanes import LANES, shared

__all__ = ["LANES", "ROWS", "Rows", "Terms", "current_and_resistance", "torque"]


# rows of a block: the state, ...
MX, MY, MZ, NX, NY, NZ = range(6)  # the magnetisation, and that of the second sublattice
SIN, COS, TURN_SIN, TURN_COS = range(6, 10)  # of the drive's phase, and of its advance in half a step
# ... what stands in the equation of motion (fields, scaled) ...
FIELD_X, FIELD_Y, FIELD_Z = range(10, 13)  # constant
WAVE_X, WAVE_Y, WAVE_Z = range(13, 16)  # times sin(2 pi f t)
DEMAG_X, DEMAG_Y, DEMAG_Z = range(16, 19)
PULL_X, PULL_Y, PULL_Z = range(19, 22)  # damping-like field per ampere
PUSH_X, PUSH_Y, PUSH_Z = range(22, 25)  # field-like field and Oersted field per ampere
ALPHA = 25
AXIS_X, AXIS_Y, AXIS_Z, HK1, HK2, VCMA = range(26, 32)  # uniaxial anisotropy; VCMA is the change of HK1 per volt
ASYMMETRY, SPIN_X, SPIN_Y, SPIN_Z, FIELD_LIKE = range(32, 37)  # of a torque that depends on the angle
BIAS_X, BIAS_Y, BIAS_Z = range(37, 40)  # field-like field per ampere and volt
EXCHANGE = 40
THERMAL = 41  # sqrt(3) standard deviations of the thermal field
# ... and what stands in the circuit
I_DC, I_AC = 42, 43  # in A; with a series diode the source's voltages in V
REF_X, REF_Y, REF_Z = range(44, 47)  # reference direction of the junction
ELECTRIC_MEAN, ELECTRIC_SWING = 47, 48  # of conductance in S or of resistance in ohm, see `readout`
TMR, V_HALF = 49, 50  # of the junction at 0 V, and the voltage that halves it
SERIES_R, I_SAT, V_THERMAL = 51, 52, 53  # source resistance, saturation current and n k T / e of a series diode
WATCH_X, WATCH_Y, WATCH_Z = range(54, 57)  # the direction whose component is watched for its frequency
ROWS = 57


class Terms(NamedTuple):
    """Which terms of the equations are compiled in; what is left out costs nothing.

    Parameters
    ----------
    axis : uniaxial anisotropy of second order, about any direction, or controlled by voltage
    angular : an efficiency that depends on the angle between magnetisation and spin
    biased : terms that need the voltage: VCMA, field-like torque quadratic in the bias, TMR that rolls off
    series : a semiconducting barrier in series; the drive is then a voltage
    coupled : a second sublattice
    spin : a current that acts on the magnetisation
    swing : an alternating field
    readout : 0 conductance linear in the cosine to the reference, 1 resistance linear in it, 2 resistance in the squared cosine
    """

    axis: bool = False
    angular: bool = False
    biased: bool = False
    series: bool = False
    coupled: bool = False
    spin: bool = True
    swing: bool = True
    readout: int = 0


class Rows:
    """Coefficients by row for a call outside a kernel, with device 0; a row that was not given is 0."""

    def __init__(self, rows: dict[int, Any]) -> None:
        self.rows = rows

    def __getitem__(self, place: int) -> Any:
        return self.rows.get(place // LANES, 0.0)


@shared
def row(c: Any, number: int, i: int) -> Any:
    """The coefficient of device `i`."""
    return c[number * LANES + i]


@shared
def cosine_to_reference(mx: Any, my: Any, mz: Any, c: Any, i: int) -> Any:
    """Cosine of the angle to the junction's reference direction."""
    return mx * row(c, REF_X, i) + my * row(c, REF_Y, i) + mz * row(c, REF_Z, i)


@shared
def resistance_at(cosine: Any, c: Any, i: int, terms: Any) -> Any:
    """Resistance in ohm at 0 V."""
    if terms.readout == 2:
        return row(c, ELECTRIC_MEAN, i) + row(c, ELECTRIC_SWING, i) * cosine * cosine
    if terms.readout == 1:
        return row(c, ELECTRIC_MEAN, i) + row(c, ELECTRIC_SWING, i) * cosine
    return 1 / (row(c, ELECTRIC_MEAN, i) + row(c, ELECTRIC_SWING, i) * cosine)


@shared
def rolled_off(current: Any, resistance: Any, cosine: Any, c: Any, i: int) -> Any:
    """Resistance in ohm at the voltage that `current` makes where the TMR rolls off; Newton's method on ``V = I R(V)``."""
    parallel, half, tmr = row(c, ELECTRIC_MEAN, i) + row(c, ELECTRIC_SWING, i), row(c, V_HALF, i), row(c, TMR, i)
    voltage = current * resistance
    for _ in range(3):
        reduced = voltage / half
        square = 1 + reduced * reduced
        share = 1 / (square + tmr)
        resistance = 2 / (parallel * (1 + cosine + square * share * (1 - cosine)))
        slope = -resistance * resistance * parallel * (1 - cosine) * reduced * tmr * share * share / half
        voltage = voltage - (voltage - current * resistance) / (1 - current * slope)
    square = 1 + voltage * voltage / (half * half)
    return 2 / (parallel * (1 + cosine + square / (square + tmr) * (1 - cosine)))


@shared
def diode_current(source: Any, resistance: Any, c: Any, i: int, exp: Any, log: Any) -> Any:
    r"""Current in A through a resistance and an exponential barrier ``I = I_s (exp(V / V_T) - 1)`` in series.

    With :math:`w = (I + I_s) R / V_T` the circuit reads :math:`w + \ln w = z`; Newton's method on it converges quadratically from
    above for every :math:`z`. `exp` and `log` are those of the numbers' own library.
    """
    per_thermal = resistance / row(c, V_THERMAL, i)
    z = log(row(c, I_SAT, i) * per_thermal) + source / row(c, V_THERMAL, i) + row(c, I_SAT, i) * per_thermal
    w = 0.5 * (z + abs(z)) + exp(-abs(z))  # above the root for every z, and close to it for z << 0
    for _ in range(5):
        w = w * (1 + z - log(w)) / (1 + w)
    return w / per_thermal - row(c, I_SAT, i)


@shared
def current_and_resistance(  # noqa: PLR0913, PLR0917 (numbers of one device)
    mx: Any, my: Any, mz: Any, wave: Any, c: Any, i: int, terms: Any, exp: Any, log: Any
) -> Any:
    """Current in A and junction resistance in ohm while the drive's sine is `wave`."""
    source = row(c, I_DC, i) + row(c, I_AC, i) * wave
    cosine = cosine_to_reference(mx, my, mz, c, i)
    resistance = resistance_at(cosine, c, i, terms)
    if terms.series:
        return diode_current(source, resistance + row(c, SERIES_R, i), c, i, exp, log), resistance
    if terms.biased and terms.readout == 0:
        resistance = rolled_off(source, resistance, cosine, c, i)
    return source, resistance


@shared
def field_and_current(  # noqa: PLR0913, PLR0917 (numbers of one device)
    m: Any, n: Any, wave: Any, thermal: Any, c: Any, i: int, terms: Any, exp: Any, log: Any
) -> Any:
    """Components of the field on the sublattice `m` beside `n`, without those of the spins, and the current in A."""
    (mx, my, mz), (nx, ny, nz), (tx, ty, tz) = m, n, thermal
    hx = row(c, FIELD_X, i) - row(c, DEMAG_X, i) * mx + tx
    hy = row(c, FIELD_Y, i) - row(c, DEMAG_Y, i) * my + ty
    hz = row(c, FIELD_Z, i) - row(c, DEMAG_Z, i) * mz + tz
    if terms.swing:
        hx, hy, hz = hx + row(c, WAVE_X, i) * wave, hy + row(c, WAVE_Y, i) * wave, hz + row(c, WAVE_Z, i) * wave
    if terms.coupled:
        exchange = row(c, EXCHANGE, i)
        hx, hy, hz = hx - exchange * nx, hy - exchange * ny, hz - exchange * nz
    if terms.biased or terms.series:
        current, resistance = current_and_resistance(mx, my, mz, wave, c, i, terms, exp, log)
    else:
        current = row(c, I_DC, i) + row(c, I_AC, i) * wave
        resistance = current
    if terms.biased:
        product = current * current * resistance
        hx = hx + row(c, BIAS_X, i) * product
        hy = hy + row(c, BIAS_Y, i) * product
        hz = hz + row(c, BIAS_Z, i) * product
    if terms.axis:
        along = mx * row(c, AXIS_X, i) + my * row(c, AXIS_Y, i) + mz * row(c, AXIS_Z, i)
        strength = row(c, HK1, i) + row(c, HK2, i) * (1 - along * along)
        if terms.biased:
            strength = strength - row(c, VCMA, i) * current * resistance
        strength = strength * along
        hx, hy, hz = hx + strength * row(c, AXIS_X, i), hy + strength * row(c, AXIS_Y, i), hz + strength * row(c, AXIS_Z, i)
    return hx, hy, hz, current


@shared
def torque(  # noqa: PLR0913, PLR0917 (numbers of one device)
    m: Any, n: Any, wave: Any, thermal: Any, c: Any, i: int, terms: Any, exp: Any, log: Any
) -> Any:
    """Change of the magnetisation `m` beside the other sublattice `n`, under the drive's sine and a thermal field."""
    mx, my, mz = m
    hx, hy, hz, current = field_and_current(m, n, wave, thermal, c, i, terms, exp, log)
    alpha = row(c, ALPHA, i)
    if not terms.spin:
        ex, ey, ez = hx + alpha * (my * hz - mz * hy), hy + alpha * (mz * hx - mx * hz), hz + alpha * (mx * hy - my * hx)
        return mz * ey - my * ez, mx * ez - mz * ex, my * ex - mx * ey
    hx = hx + row(c, PUSH_X, i) * current
    hy = hy + row(c, PUSH_Y, i) * current
    hz = hz + row(c, PUSH_Z, i) * current
    if terms.angular:
        toward = mx * row(c, SPIN_X, i) + my * row(c, SPIN_Y, i) + mz * row(c, SPIN_Z, i)
        current = current / (1 + row(c, ASYMMETRY, i) * toward)
    ax, ay, az = row(c, PULL_X, i) * current, row(c, PULL_Y, i) * current, row(c, PULL_Z, i) * current
    if terms.angular:
        like = row(c, FIELD_LIKE, i)
        hx, hy, hz = hx + like * ax, hy + like * ay, hz + like * az
    bx, by, bz = alpha * hx + ax, alpha * hy + ay, alpha * hz + az
    ex = hx - alpha * ax + my * bz - mz * by
    ey = hy - alpha * ay + mz * bx - mx * bz
    ez = hz - alpha * az + mx * by - my * bx
    return mz * ey - my * ez, mx * ez - mz * ex, my * ex - mx * ey
