"""Pictures that stand for photographs: smooth, textured and with an edge, the same on every machine."""

import numpy as np


def draw_picture(height, width, *, channels=3, seed=0):
    """A picture (1, channels, height, width) in 8-bit levels whose amplitudes fall like 1/f, with a bright disk in it."""
    generator = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = 1 / max(height, width)
    spectrum = np.fft.rfft2(generator.standard_normal((channels, height, width))) / frequency
    field = np.fft.irfft2(spectrum, s=(height, width))
    field = 0.45 + 0.15 * (field - field.mean()) / max(field.std(), 1e-9)
    rows, columns = np.mgrid[:height, :width]
    field[:, np.hypot(rows - height / 3, columns - width / 2) < min(height, width) / 5] += 0.3
    return (np.round(np.clip(field, 0, 1) * 255) / 255).astype(np.float32)[None]


def generators(count=1, *, seed=0):
    """Independent random generators, one per image."""
    return [np.random.default_rng((seed, index)) for index in range(count)]
