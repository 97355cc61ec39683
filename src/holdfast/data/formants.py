"""Generated vowels: pairs of formant frequencies, drawn around the means of recorded speech.

The ear distinguishes most vowels by the first two resonances of the vocal tract, F1 and F2. Each vowel here is a normal
distribution in the plane (F1, F2). Its means, standard deviations and correlation are those of 33 men who said ten words of the
form h-d twice each (66 utterances per vowel), computed from the recordings of G. Peterson and H. Barney, J. Acoust. Soc. Am. 24
(1952) 175, as they are distributed with the program Praat. Nothing recorded is stored here: every pair is drawn. What is left
out: differences between speakers that shift all vowels of one person together, women and children, and tails that are not normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_one_of, check_whole, check_within, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SEVEN_VOWELS", "VOWELS", "Formants", "VowelStatistics", "formants"]


@dataclass(frozen=True, kw_only=True)
class VowelStatistics:
    """The normal distribution of one vowel in the plane of its first two formants.

    Parameters
    ----------
    sign : its symbol in the international phonetic alphabet
    mean : F1 and F2 in Hz
    deviation : standard deviations of F1 and F2 in Hz
    correlation : of F1 and F2, in (-1, 1)
    """

    sign: str
    mean: tuple[float, float]
    deviation: tuple[float, float]
    correlation: float

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Array (2, 2) in Hz^2."""
        one, two = self.deviation
        across = self.correlation * one * two
        return np.array([[one**2, across], [across, two**2]])


# mean, standard deviation and correlation over the 66 utterances of each word by men, rounded to 1 Hz and 0.05
VOWELS = {
    "heed": VowelStatistics(sign="i", mean=(267, 2294), deviation=(37, 136), correlation=0.0),
    "hid": VowelStatistics(sign="ɪ", mean=(392, 1993), deviation=(50, 126), correlation=-0.15),
    "head": VowelStatistics(sign="ɛ", mean=(526, 1854), deviation=(59, 114), correlation=-0.15),
    "had": VowelStatistics(sign="æ", mean=(664, 1727), deviation=(62, 121), correlation=-0.25),
    "hod": VowelStatistics(sign="ɑ", mean=(718, 1091), deviation=(54, 97), correlation=0.7),
    "hawed": VowelStatistics(sign="ɔ", mean=(568, 836), deviation=(62, 111), correlation=0.65),
    "hood": VowelStatistics(sign="ʊ", mean=(437, 1023), deviation=(46, 122), correlation=0.45),
    "who'd": VowelStatistics(sign="u", mean=(307, 876), deviation=(50, 157), correlation=0.4),
    "hud": VowelStatistics(sign="ʌ", mean=(631, 1192), deviation=(47, 109), correlation=0.0),
    "heard": VowelStatistics(sign="ɝ", mean=(489, 1360), deviation=(57, 94), correlation=0.15),
}
SEVEN_VOWELS = ("heed", "hid", "head", "had", "hod", "hood", "who'd")


@dataclass(frozen=True, kw_only=True)
class Formants:
    """Drawn vowels.

    Parameters
    ----------
    x : array (n, 2), F1 and F2 in Hz, F1 < F2
    y : array (n,) of whole numbers, the place of each vowel in `words`
    words : the words that the vowels are the heart of
    """

    x: NDArray[np.float64]
    y: NDArray[np.int64]
    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)

    @property
    def signs(self) -> tuple[str, ...]:
        """The vowels' phonetic symbols."""
        return tuple(VOWELS[word].sign for word in self.words)


def formants(
    classes: Sequence[str] = SEVEN_VOWELS, *, per_class: int = 40, seed: int = 0, spread: float = 1.0, name: str = "train"
) -> Formants:
    """Vowels as pairs of formant frequencies, `per_class` of each.

    Pairs with F1 >= F2, which no vocal tract has, are drawn again; among the recorded vowels that is one in a thousand.

    Parameters
    ----------
    classes : words of the table :data:`VOWELS`; default: seven whose vowels lie along the rim of the plane (our choice)
    per_class : examples of each vowel
    seed : of the draw; each vowel has its own stream, so it stays as it is when others join
    spread : factor on all standard deviations, >= 0
    name : of the set; sets with different names are independent under one seed

    Raises
    ------
    InputError : an unknown word (the nearest one is named), a word twice, fewer than two words

    Examples
    --------
    >>> vowels = formants(["heed", "hod"], per_class=3)
    >>> vowels.x.shape, vowels.y.tolist(), vowels.signs
    ((6, 2), [0, 0, 0, 1, 1, 1], ('i', 'ɑ'))
    """
    words = tuple(check_one_of(word, "classes", allowed=VOWELS) for word in classes)
    if len(set(words)) < max(2, len(words)):
        refuse("classes", f"are {', '.join(words) or 'none'}", allowed="at least two different words")
    check_whole(per_class, "per_class", low=1)
    check_within(spread, "spread", low=0)
    seeds = Seeds(seed).child("formants", name)
    drawn = [_pairs(VOWELS[word], per_class, spread, seeds.numpy(word)) for word in words]
    return Formants(x=np.concatenate(drawn), y=np.repeat(np.arange(len(words)), per_class), words=words)


def _pairs(vowel: VowelStatistics, count: int, spread: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Array (count, 2) of one vowel."""
    found, root = np.empty((0, 2)), spread * np.linalg.cholesky(vowel.covariance)
    while len(found) < count:
        more = vowel.mean + generator.standard_normal((count, 2)) @ root.T
        found = np.concatenate([found, more[more[:, 0] < more[:, 1]]])
    return found[:count]
