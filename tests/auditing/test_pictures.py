"""Pictures of examples: none is shown twice, stresses take turns, and a corrupted one is shown where it fooled the network."""

from collections import Counter


def test_no_example_is_shown_twice_and_stresses_take_turns(audited):
    images = audited.document.images
    shown = [image.example for image in images]
    assert len(shown) == len(set(shown)) == 12
    count = Counter(image.stress for image in images)
    assert len(count) >= 5
    assert max(count.values()) <= 4
    assert [image.stress for image in images] == sorted(
        (image.stress for image in images), key=list(audited.document.stresses()).index
    )


def test_pictures_of_attacks_are_of_examples_that_they_fooled(audited):
    fooled = [image for image in audited.document.images if image.card == "adversarial"]
    assert fooled
    assert all(image.before == image.truth != image.after for image in fooled)


def test_a_corrupted_example_is_shown_where_it_is_answered_wrong(audited):
    rows = [image for image in audited.document.images if image.stress == "corruptions"]
    right = audited.per_example("corruptions", **rows[0].at)["correct"]
    assert rows
    assert right.all() or any(image.after != image.truth for image in rows)


def test_the_cross_view_names_a_stress_and_its_strength_as_the_charts_do(audited):
    labels = {column.stress: column.label for column in audited.document.cross.columns}
    assert labels["pgd"].startswith("PGD eps 0.")
    assert labels["weight_bits"].startswith("Weight bits ")
    assert not any("ε" in label or "=" in label for label in labels.values())
