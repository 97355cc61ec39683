"""Laws of dividing a limit among stresses, whatever they want."""

from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.auditing.allocation import Want, allocate


def line(n, *, fixed, each, bend):
    """A cost that grows with the number of examples, evenly or less and less."""
    return fixed + each * n**bend


@dataclass
class Wish:
    most: int
    weight: float
    rank: int
    fixed: float
    each: float
    bend: float

    def want(self):
        cost = partial(line, fixed=self.fixed, each=self.each, bend=self.bend)
        return Want(most=self.most, least=min(50, self.most), weight=self.weight, rank=self.rank, cost=cost)


WISHES = st.lists(
    st.builds(
        Wish,
        most=st.integers(1, 20_000),
        weight=st.floats(0, 1),
        rank=st.integers(0, 2),
        fixed=st.floats(0, 3),
        each=st.floats(1e-6, 1.0),
        bend=st.floats(0.7, 1.0),
    ),
    min_size=1,
    max_size=12,
)
LIMITS = st.floats(0, 3000)


def granted(wishes, limit):
    wants = [wish.want() for wish in wishes]
    shares = allocate(wants, limit)
    spent = sum(want.cost(share) for want, share in zip(wants, shares, strict=True) if share)
    return wants, shares, spent


@given(WISHES, LIMITS)
def test_a_limit_is_never_exceeded_and_each_share_lies_between_least_and_most(wishes, limit):
    wants, shares, spent = granted(wishes, limit)
    assert spent <= limit + 1e-9
    assert all(share == 0 or want.least <= share <= want.most for want, share in zip(wants, shares, strict=True))


@given(WISHES, LIMITS)
def test_where_something_was_reduced_nothing_more_fits(wishes, limit):
    wants, shares, spent = granted(wishes, limit)
    cut = [place for place, want in enumerate(wants) if 0 < shares[place] < want.most]
    if cut:
        one_more_of_each = sum(
            want.cost(min(share + 1, want.most)) - want.cost(share) for want, share in zip(wants, shares, strict=True) if share
        )
        assert limit - spent <= one_more_of_each + 1e-6


@given(WISHES, LIMITS)
def test_whoever_is_left_out_did_not_fit_beside_the_least_of_the_more_important(wishes, limit):
    wants, shares, _ = granted(wishes, limit)
    for place, want in enumerate(wants):
        if shares[place]:
            continue
        others = [other for other in range(len(wants)) if other != place and shares[other]]
        served = sum(wants[other].cost(shares[other]) for other in others if wants[other].rank < want.rank)
        least = sum(
            wants[other].cost(wants[other].least)
            for other in others
            if wants[other].rank == want.rank and wants[other].weight >= want.weight
        )
        assert served + least + want.cost(want.least) > limit - 1e-9


@given(WISHES, LIMITS)
def test_a_higher_rank_is_whole_before_a_lower_one_gets_more_than_what_does_not_help_it(wishes, limit):
    wants, shares, _ = granted(wishes, limit)
    first = [place for place, want in enumerate(wants) if want.rank == 0]
    alone = allocate([wants[place] for place in first], limit)
    assert [shares[place] for place in first] == alone


@given(WISHES, LIMITS, st.floats(0, 500))
def test_with_more_to_spend_the_most_important_difference_is_a_gain(wishes, limit, more):
    wants, before, _ = granted(wishes, limit)
    _, after, _ = granted(wishes, limit + more)
    first = min(want.rank for want in wants)
    members = sorted((place for place, want in enumerate(wants) if want.rank == first), key=lambda place: -wants[place].weight)
    kept = [(bool(before[place]), bool(after[place])) for place in members]
    differing = [pair for pair in kept if pair[0] != pair[1]]
    if differing:
        assert differing[0] == (False, True)
    else:
        assert all(after[place] >= before[place] for place in members)


@pytest.mark.parametrize(("limit", "expected"), [(30.0, [300, 150]), (60.0, [600, 300]), (105.0, [1000, 550])])
def test_equal_importance_gets_equal_seconds_until_one_is_whole(limit, expected):
    wants = [Want(most=1000, least=50, weight=1.0, cost=cost) for cost in (lambda n: 0.05 * n, lambda n: 0.1 * n)]
    assert allocate(wants, limit) == pytest.approx(expected, abs=1)


def test_twice_the_importance_gets_twice_the_seconds():
    wants = [Want(most=10_000, least=50, weight=weight, cost=lambda n: 0.01 * n) for weight in (1.0, 0.5)]
    assert allocate(wants, 30.0) == pytest.approx([2000, 1000], abs=1)
