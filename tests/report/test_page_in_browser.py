"""The page as a browser shows it: on a phone and on a desk, in light and dark, with and without scripts, on paper."""

import base64
import json
import shutil

import pytest
import report_samples as samples
from test_page import PAGES, hostile_document

from holdfast.report import render

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e .[dev]")
wait = pytest.importorskip("selenium.webdriver.support.wait", reason="selenium is not installed: pip install -e .[dev]")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its driver on this machine")

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]

OVERLAPS = """
const found = [];
for (const svg of document.querySelectorAll('svg.plot')) {
  const frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll('text')].map((text) => [text.textContent, text.getBoundingClientRect()]);
  boxes.forEach(([words, box], place) => {
    if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2 || box.bottom > frame.bottom + 2)
      found.push(`cut: ${words} in ${svg.getAttribute('aria-label').slice(0, 40)}`);
    for (const [other, next] of boxes.slice(place + 1)) {
      const wide = Math.min(box.right, next.right) - Math.max(box.left, next.left);
      const high = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
      if (wide > 1 && high > 3) found.push(`${words} on ${other} in ${svg.getAttribute('aria-label').slice(0, 40)}`);
    }
  });
}
return found;
"""
SMALLEST_LETTER = """
return Math.min(...[...document.querySelectorAll('svg.plot text')].map((text) => {
  const svg = text.closest('svg');
  return parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
}));
"""
SMALLEST_WORD = """
return Math.min(...[...document.querySelectorAll('body *')]
  .filter((element) => !element.closest('svg, script'))
  .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .map((element) => parseFloat(getComputedStyle(element).fontSize)));
"""
WIDER = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('body *')]
  .filter((element) => !element.closest('.scroll, .contents, pre, svg') && element.getBoundingClientRect().right > width + 1)
  .map((element) => element.outerHTML.slice(0, 80));
"""
HIDDEN = """
return [...document.querySelectorAll('section, figure, table, tr, figcaption, svg, .strip, p, dd, pre, h1, h2, h3')]
  .filter((element) => !element.closest('thead'))
  .filter((element) => element.getBoundingClientRect().width * element.getBoundingClientRect().height === 0)
  .map((element) => element.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    for name, make in {**PAGES, "hostile": lambda: render(hostile_document())}.items():
        (place / f"{name}.html").write_text(make(), encoding="utf-8")
    return place


@pytest.fixture
def show(browser, folder):
    """Opens a page; everything that was emulated is taken back at the end."""

    def open_page(name, *, width=1400, scheme="light", media="", scripts=True):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        browser.get_log("browser")
        browser.get_log("performance")
        browser.get((folder / f"{name}.html").as_uri())
        return browser

    yield open_page
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", [*PAGES, "hostile"])
def test_the_page_fits_its_screen_and_its_labels_fit_their_figures(show, name, width):
    page = show(name, width=width)
    assert page.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.execute_script(WIDER) == []
    if name != "hostile":  # its labels are longer than any figure
        assert page.execute_script(OVERLAPS) == []
    assert page.execute_script(SMALLEST_LETTER) >= 11, "px, in figures"
    assert page.execute_script(SMALLEST_WORD) >= 11, "px, everywhere else"


def test_the_search_for_overlaps_finds_one(show):
    page = show("study")
    page.execute_script("const text = document.querySelector('svg.plot text'); text.after(text.cloneNode(true));")
    assert len(page.execute_script(OVERLAPS)) == 1


@pytest.mark.parametrize("name", PAGES)
def test_everything_can_be_seen_without_scripts(show, name):
    page = show(name, scripts=False)
    assert page.execute_script(HIDDEN) == []
    assert page.execute_script("return document.querySelectorAll('.tip, .folded, th button').length") == 0


def test_no_request_leaves_the_page_and_nothing_is_refused(show):
    for name in [*PAGES, "hostile"]:
        page = show(name)
        events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
        asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        assert asked, "the log works: it holds the page itself"
        assert all(url.startswith(("file:", "data:")) for url in asked)
        assert page.get_log("browser") == [], name


def test_no_hostile_name_runs(show):
    page = show("hostile")
    assert page.execute_script("return document.scripts.length") == 1
    assert page.execute_script("return document.querySelectorAll('img[onerror], [onclick]').length") == 0


def each(page, selector, expression):
    """What `expression` of JavaScript says of each element, which is called `one`."""
    return page.execute_script(f"return [...document.querySelectorAll(arguments[0])].map((one) => {expression})", selector)


def named_classes():
    """The page of a network that knows ten classes by name, on 10000 examples."""
    whole = samples.audit_document()
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    card = whole.cards["clean"]
    entry = card.stresses["clean"]
    counts = [[10 * count for count in row] for row in entry.points[0].details.confusion]
    point = entry.points[0].model_copy(update={"details": entry.points[0].details.model_copy(update={"confusion": counts})})
    stresses = {"clean": entry.model_copy(update={"points": [point]})}
    cards = {**whole.cards, "clean": card.model_copy(update={"stresses": stresses})}
    return whole.model_copy(update={"target": whole.target.model_copy(update={"class_names": names}), "cards": cards})


def test_a_confusion_matrix_of_ten_named_classes_is_whole_on_a_desk(show, folder):
    (folder / "named.html").write_text(render(named_classes()), encoding="utf-8")
    page = show("named")
    widths = "const frame = document.querySelector('.confusion').closest('.scroll'); return [frame.scrollWidth, frame.clientWidth]"
    wanted, given = page.execute_script(widths)
    assert wanted <= given
    assert each(page, ".confusion thead th", "one.textContent") == named_classes().target.class_names
    assert show("named", width=400).execute_script("return document.documentElement.scrollWidth <= 400")


@pytest.mark.parametrize("width", [400, 1400])
def test_sparklines_are_large_enough_to_read(show, width):
    page = show("audit", width=width)
    assert min(each(page, "svg.spark", "one.getBoundingClientRect().width")) >= 110
    assert min(each(page, "svg.spark", "one.getBoundingClientRect().height")) >= 28


def test_the_first_screen_of_a_desk_holds_badge_version_and_every_gate(show):
    found = each(show("audit"), ".verdictbadge, .version, #verdicts tr", "one.getBoundingClientRect().bottom")
    assert len(found) == 2 + 1 + len(samples.gates())
    assert max(found) <= 900


def test_the_badge_can_be_read_in_light_and_dark(show):
    for scheme in ("light", "dark"):
        page = show("audit", scheme=scheme)
        [pair] = each(page, ".verdictbadge", "[getComputedStyle(one).color, getComputedStyle(one).backgroundColor]")
        text, ground = (sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) for colour in pair)
        assert abs(text - ground) > 250, scheme


def test_every_picture_carries_its_caption(show):
    found = each(show("audit"), ".thumbnail .panel", "[one.querySelector('img').alt, one.textContent.trim()]")
    assert found
    assert all(caption and alt.endswith(caption) for alt, caption in found)


def test_dark_and_light_follow_the_readers_choice(show):
    lightness = {}
    for scheme in ("light", "dark"):
        page = show("study", scheme=scheme)
        colours = [
            page.execute_script("return getComputedStyle(document.body).backgroundColor"),
            page.execute_script("return getComputedStyle(document.querySelector('svg.plot text')).fill"),
        ]
        lightness[scheme] = [sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) for colour in colours]
    (light_paper, light_label), (dark_paper, dark_label) = lightness["light"], lightness["dark"]
    assert light_paper > 3 * 240
    assert dark_paper < 3 * 40
    assert dark_label > light_label, "labels of figures follow"


def test_a_point_tells_its_number_under_the_pointer(show):
    page = show("audit")
    hit = page.find_element("css selector", "#card-adversarial svg .hit")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", hit)
    [tip] = page.find_elements("css selector", ".tip")

    def told(_page):
        """A pointer that rests while the page is still scrolling meets nothing, as a hand would notice."""
        webdriver.ActionChains(page).move_to_element_with_offset(hit, 40, 40).move_to_element(hit).perform()
        return tip.is_displayed()

    wait.WebDriverWait(page, 10).until(told)
    lines = tip.text.splitlines()
    assert {"FGSM", "PGD"} <= set(lines), "points on one spot are told together"
    assert "eps 0 Linf" in lines
    assert page.execute_script("return document.querySelectorAll('svg .hit > title').length") == 0, "no second, native tooltip"
    box = tip.rect
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1400


def column(page, table, place):
    rows = "return [...document.querySelector(arguments[0]).tBodies[0].rows].map((row) => row.cells[arguments[1]].dataset.v)"
    return page.execute_script(rows, table, place)


def test_a_click_sorts_by_number_and_a_second_click_turns_it_round(show):
    page = show("audit")
    table = "#stress-weight-bits table"
    button = page.find_element("css selector", f"{table} th:nth-child(3) button")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    before = [float(value) for value in column(page, table, 2)]
    button.click()
    assert [float(value) for value in column(page, table, 2)] == sorted(before)
    assert page.find_element("css selector", f"{table} th:nth-child(3)").get_attribute("aria-sort") == "ascending"
    button.click()
    assert [float(value) for value in column(page, table, 2)] == sorted(before, reverse=True)


def test_long_tables_are_folded_filtered_and_unfolded(show):
    page = show("audit")
    shown = "return [...document.querySelectorAll('#stress-corruptions tbody tr')].filter((row) => row.offsetHeight).length"
    assert page.execute_script(shown) == 10
    search = page.find_element("css selector", "#stress-corruptions input")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", search)
    search.send_keys("fog")
    assert page.execute_script(shown) == 5
    search.clear()
    page.execute_script("arguments[0].dispatchEvent(new Event('input'))", search)
    page.find_element("css selector", "#stress-corruptions .tools button").click()
    assert page.execute_script(shown) == 75


def test_paper_gets_every_row_and_light_colours(show):
    page = show("audit", scheme="dark", media="print")
    hidden = "return [...document.querySelectorAll('tbody tr')].filter((row) => !row.offsetHeight).length"
    assert page.execute_script(hidden) == 0
    assert page.execute_script("return getComputedStyle(document.querySelector('.contents')).display") == "none"
    assert set(each(page, "details", "getComputedStyle(one, '::details-content').contentVisibility")) == {"visible"}
    assert page.execute_script("return getComputedStyle(document.body).getPropertyValue('--paper')").strip() == "#fdfdfc"


def test_paper_cuts_no_command_and_no_configuration(show):
    page = show("audit", width=600, media="print")
    assert len(each(page, "pre", "1")) >= 2
    assert each(page, "pre", "one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1").count(True) == 0


def test_the_heads_of_tables_are_plain_text_on_paper_so_that_each_page_repeats_them(show):
    buttons = each(show("audit", media="print"), "thead th button", "getComputedStyle(one).display")
    assert buttons
    assert set(buttons) == {"contents"}


@pytest.mark.parametrize("name", ["audit", "study"])
def test_no_heading_stays_behind_on_paper_when_its_figures_move(show, name):
    page = show(name, media="print")
    heads = ".pictures, .tiles, .stresses"
    before = "one.previousElementSibling && getComputedStyle(one.previousElementSibling).breakAfter"
    assert set(each(page, ".pictures, .tiles", before)) <= {"avoid", None}
    assert "avoid" in each(page, heads, before)
    grids = each(page, ".pictures, .tiles", "getComputedStyle(one).display")
    assert set(grids) == {"block"}, "Chromium keeps no heading with a grid"
    halves = each(page, ".pictures", "one.children.length > 1 && one.children[0].offsetTop === one.children[1].offsetTop")
    assert True in halves, "two stand beside each other"


def test_a_page_can_be_printed(show):
    pdf = base64.b64decode(show("study").execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 20_000


def test_the_same_page_twice_is_the_same_picture(show):
    pictures = [show("study").get_screenshot_as_base64() for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_sample_pages_cover_all_statuses():
    statuses = {entry.status for make in (samples.audit_document, samples.study_document) for entry in make().judged}
    assert statuses == {"pass", "fail", "undecided", "error"}
