"""The page is a function of report.json: complete, small, self-contained, and deaf to what hostile names ask for."""

import base64
import hashlib
import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest
import report_samples as samples
import report_world

from holdfast.report import (
    CardEntry,
    ClaimEntry,
    CurveEntry,
    Details,
    Document,
    FindingEntry,
    PointEntry,
    RunEntry,
    StressEntry,
    TargetEntry,
    dump,
    load,
    render,
    render_comparison,
    views,
)
from holdfast.report.page import _asset

PAGES = {
    "audit": lambda: render(samples.audit_document()),
    "partial": lambda: render(samples.partial_document()),
    "study": lambda: render(samples.study_document()),
    "baseline": lambda: render(samples.baseline_document()),
    "comparison": lambda: render_comparison(*samples.compared()),
}
VOID = {"meta", "img", "br", "input", "link"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"


class Reader(HTMLParser):
    """Collects what a browser would load, and checks that tags nest."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.loads, self.ids, self.anchors = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.loads += [attributes[key] for key in ("src", "srcset", "data", "poster", "action", "xlink:href") if key in attributes]
        if tag != "a" and "href" in attributes:
            self.loads.append(attributes["href"])
        if tag == "a":
            self.anchors.append(attributes["href"])
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def pages():
    return {name: make() for name, make in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_anywhere(pages, name):
    html = pages[name]
    assert all(source.startswith("data:image/png;base64,") for source in read(html).loads)
    assert "@import" not in html
    assert "url(" not in html
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert policy.startswith("default-src 'none'; img-src data:;")


@pytest.mark.parametrize("name", PAGES)
def test_only_the_packages_own_script_may_run(pages, name):
    [script] = re.findall(r"<script>(.*?)</script>", pages[name], flags=re.DOTALL)
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{fingerprint}'" in pages[name]
    assert not [key for _, attributes in read(pages[name]).tags for key in attributes if key.startswith("on")]


@pytest.mark.parametrize("name", PAGES)
def test_the_markup_nests_names_places_once_and_links_to_places_that_exist(pages, name):
    reader = read(pages[name])
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert {link.removeprefix("#") for link in reader.anchors} <= set(reader.ids)


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_says_in_words_what_it_shows(pages, name):
    tags = read(pages[name]).tags
    drawn = [attributes for tag, attributes in tags if tag == "svg"]
    assert drawn
    assert all(len(attributes["aria-label"]) > 10 for attributes in drawn)
    assert all(attributes["alt"] for tag, attributes in tags if tag == "img")


# specs/audit.md, claim 2: at most 1.5 MB for preset quick
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small(pages, name):
    assert len(pages[name].encode()) <= 1.5e6


def test_rendering_again_from_the_file_gives_the_same_bytes(tmp_path, monkeypatch):
    dump(samples.audit_document(), tmp_path / "report.json")
    first = render(load(tmp_path))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert render(load(tmp_path)) == first == render(samples.audit_document())
    monkeypatch.undo()
    time.tzset()


def hostile_document():
    world = report_world.World()
    points = [world.keep("pgd", {"eps": eps, HOSTILE: HOSTILE}, world.right(30 * eps)) for eps in (0.0, 0.1)]
    curve = CurveEntry(
        name=HOSTILE, axis=HOSTILE, unit=HOSTILE, quantity=HOSTILE, at=[0, 1], estimates=[{"value": 0.9}, {"value": 0.1}]
    )
    stress = StressEntry(
        title=HOSTILE,
        reason=HOSTILE,
        status="reduced",
        config={HOSTILE: HOSTILE},
        notes=[HOSTILE],
        curves=[curve, curve.model_copy(update={"name": "b"})],
        points=[
            points[0].model_copy(
                update={"details": Details(confusion=[[3, 1], [2, 4]], per_class=[{"value": 0.5}, {"value": 0.6}])}
            ),
            points[1].model_copy(update={"status": "error", "error": HOSTILE, "key": HOSTILE}),
        ],
    )
    return Document(
        run=RunEntry(
            id=HOSTILE,
            name=HOSTILE,
            title=HOSTILE,
            source=HOSTILE,
            status="partial",
            resume=HOSTILE,
            command=HOSTILE,
            versions={HOSTILE: HOSTILE},
            config={HOSTILE: HOSTILE},
            notes=[HOSTILE],
        ),
        target=TargetEntry(
            name=HOSTILE, digest=HOSTILE, classes=2, class_names=[HOSTILE, "b"], preprocessing=HOSTILE, notes=[HOSTILE]
        ),
        gates=[
            ClaimEntry(
                id=HOSTILE,
                statement=HOSTILE,
                status="error",
                expected=HOSTILE,
                source=HOSTILE,
                reason=HOSTILE,
                note=HOSTILE,
                check=HOSTILE,
            )
        ],
        findings=[
            FindingEntry(
                id=HOSTILE,
                severity="high",
                text=HOSTILE,
                evidence=HOSTILE,
                remedy=HOSTILE,
                threshold=HOSTILE,
                command=HOSTILE,
                stress=HOSTILE,
            )
        ],
        cards={HOSTILE: CardEntry(title=HOSTILE, stresses={HOSTILE: stress}, notes=[HOSTILE])},
        probe={HOSTILE: HOSTILE},
        images=[
            image.model_copy(update={"truth": HOSTILE, "before": HOSTILE, "after": HOSTILE, "card": HOSTILE})
            for image in samples.images(1)
        ],
    )


def test_hostile_names_stay_text():
    html = render(hostile_document())
    reader = read(html)
    assert html.count("<script") == 1
    assert "onerror" not in {key for _, attributes in reader.tags for key in attributes}
    assert not [
        attributes for tag, attributes in reader.tags if tag == "img" and not attributes["src"].startswith("data:image/png")
    ]
    assert "&lt;script&gt;alert(1)" in html
    assert "{{ 7 * 7 }}" in html, "a name is no template"
    assert reader.open == []


def test_sections_come_in_the_order_of_the_design(pages):
    places = [pages["audit"].index(f'id="{name}"') for name in ("verdicts", "glance", "findings", "card-clean", "card-adversarial")]
    places += [
        pages["audit"].index(f'id="{name}"')
        for name in ("card-precision", "card-device", "card-shift", "cross", "untested", "provenance")
    ]
    assert places == sorted(places)


def test_a_partial_report_says_so_before_anything_else(pages):
    text = re.sub(r"<[^>]+>", " ", pages["partial"].split("<body>")[1])
    assert text.split()[:4] == ["This", "report", "is", "partial."]
    assert "holdfast resume runs/a" in pages["partial"]
    assert "Unsafe load." in pages["partial"]
    assert "1 check raised a flag" in pages["partial"]
    assert "mat1 and mat2 shapes cannot be multiplied" in pages["partial"]


def test_a_whole_report_carries_no_warning(pages):
    assert "banner" not in pages["audit"].split("<body>")[1]


def test_every_point_every_gate_and_every_finding_is_on_the_page(pages):
    document, html = samples.audit_document(), pages["audit"]
    assert html.count("<tr><td>Corruptions</td>") >= 75
    assert all(f'id="{gate.id.replace(".", "-")}"' in html for gate in document.gates)
    assert all(finding.text in html for finding in document.findings)
    assert all(entry.reason in html for entry in [*document.skipped, *document.reduced])


def test_a_study_shows_failed_claims_and_says_which_source_they_have(pages):
    html = pages["study"]
    assert "1 of 5 claims fails" in html
    assert "Fig. 5b" in html
    for word in ("holds", "fails", "undecided", "not judged"):
        assert f"</span> {word}</span>" in html, "a mark is never without its word"
    assert 'id="glance"' not in html


def test_the_baseline_is_drawn_dashed_and_its_tests_are_told(pages):
    assert 'class="line before"' in pages["baseline"]
    assert "p (Holm)" in pages["baseline"]


def test_a_comparison_lists_the_examples_that_got_worse_with_their_pictures(pages):
    _, after, comparison = samples.compared()
    worse = next(row for row in comparison.rows if row.regressions)
    html = pages["comparison"].split('id="regressions"')[1]
    assert ", ".join(map(str, worse.examples[:3])) in html
    listed = {example for row in comparison.rows for example in row.examples}
    assert html.count("<img") == sum(len(image.panels) for image in after.images if image.example in listed)
    assert "<img" in html


def test_an_empty_document_has_a_page_too():
    html = render(Document(run=RunEntry(id="only an id")))
    assert "No gates were set" in html
    assert read(html).open == []


@pytest.mark.parametrize("status", ["skipped", "error", "reduced", "partial"])
def test_a_stress_without_points_is_shown_with_its_reason(status):
    stress = StressEntry(status=status, reason="it needs gradients")
    html = render(Document(run=RunEntry(id="a"), cards={"adversarial": CardEntry(stresses={"pgd": stress})}))
    assert "it needs gradients" in html


def test_third_party_details_of_any_shape_do_not_break_the_page():
    details = Details(
        confusion=[[1]], chips=[0.5], loss=[1.0], layers=[], checks=[], per_class=[], anything={"a": [1, {"b": None}]}
    )
    points = [
        PointEntry(at={"x": place, "mode": "m", "flag": True, "list": [1, 2], "none": None}, details=details) for place in range(5)
    ]
    stress = StressEntry(points=points, curves=[CurveEntry(name="one", axis="x", at=[1], estimates=[{"value": 1}])])
    assert read(render(Document(run=RunEntry(id="a"), cards={"other": CardEntry(stresses={"mine": stress})}))).open == []


def test_cards_come_in_the_order_of_the_document():
    cards = {name: CardEntry() for name in ("mine", "shift", "clean")}
    assert [view.name for view in views.card_views(Document(run=RunEntry(id="a"), cards=cards))] == ["mine", "shift", "clean"]


def palettes():
    light, dark = re.findall(r":root \{(.*?)\}", _asset("page.css"), flags=re.DOTALL)
    return [dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", text)) for text in (light, dark)]


def linear(colour):
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    high, low = sorted((float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# WCAG 2.2, success criteria 1.4.3 (text, 4.5) and 1.4.11 (graphics, 3)
@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_text_and_lines_stand_out_from_the_paper(palette):
    for name in ("ink", "soft", "link", "good", "bad", "warn", "odd"):
        assert contrast(palette[name], palette["paper"]) >= 4.5, name
        assert contrast(palette[name], palette["panel"]) >= 4.5, name
    for place in range(6):
        assert contrast(palette[f"s{place}"], palette["paper"]) >= 3, place


# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE TVCG 15 (2009) 1291: severity 1.0
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]  # sRGB, IEC 61966-2-1


def lab(light):
    xyz = np.array(TO_XYZ) @ np.clip(light, 0, 1) / [0.95047, 1.0, 1.08883]
    bent = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * bent[1] - 16, 500 * (bent[0] - bent[1]), 200 * (bent[1] - bent[2])])


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
@pytest.mark.parametrize("eyes", BLINDNESS)
def test_all_six_lines_are_told_apart_by_all_eyes(palette, eyes):
    seen = [lab(np.array(BLINDNESS[eyes]) @ linear(palette[f"s{place}"])) for place in range(6)]
    nearest = min(np.linalg.norm(first - second) for place, first in enumerate(seen) for second in seen[:place])
    assert nearest >= 15, "CIE76 differences below 10 are taken for one colour in thin lines"


def cells(html, anchor):
    """Rows of the table in one section, as texts."""
    body = html[html.index(f'id="{anchor}"') :].split("<tbody>")[1].split("</tbody>")[0]
    return [[re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in body.split("</tr>")[:-1]]


def test_a_point_of_the_main_kind_says_its_kind():
    at = [{"sigma": 0.1}, {"sigma": 0.1, "kind": "multiplicative"}]
    stress = StressEntry(config={"kinds": ["additive", "multiplicative"]}, points=[PointEntry(at=one) for one in at])
    document = Document(run=RunEntry(id="a"), cards={"device": CardEntry(stresses={"weight_noise": stress})})
    assert [row[1] for row in cells(render(document), "stress-weight-noise")] == ["additive", "multiplicative"]


def test_a_verdict_without_a_bounded_interval_says_why_it_is_open():
    told = "its interval is unbounded"
    one = ClaimEntry(
        id="a", statement="All are there", status="undecided", value=0.12, expected="> 0", reason="x contains the threshold"
    )
    document = Document(run=RunEntry(id="a"), gates=[one])
    assert told in render(document)
    assert told not in render(document.model_copy(update={"gates": [one.model_copy(update={"lo": -0.1, "hi": 0.3})]}))


def test_the_range_of_the_inputs_is_written_in_the_digits_of_the_page():
    whole = samples.audit_document()
    wide = whole.target.input.model_copy(update={"range": [-3.67916202545166, 4.371372222900391]})
    document = whole.model_copy(update={"target": whole.target.model_copy(update={"input": wide})})
    assert "in [−3.68, 4.37]" in render(document)
