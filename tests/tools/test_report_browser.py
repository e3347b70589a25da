# SPDX-License-Identifier: Apache-2.0
"""The report in a real Chromium: it opens without a complaint, and clicks, keys, zoom, search, filters, links and colours
do what they say. Counts are held to the trace's records."""

import re
import sys
from pathlib import Path

import numpy
import pytest
from selenium.webdriver import ActionChains, Keys

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tools")]
import trace_maker  # noqa: E402
from ariel import trace_format as form  # noqa: E402
from ariel.report import write  # noqa: E402
from ariel.trace import Trace  # noqa: E402
from browser import open_browser  # noqa: E402

RECORDS = 50_000
EVIL = '</script><img src=x onerror="document.title=1"><b>bold</b>'
LABELS = 144  # pixels of the timeline's names


@pytest.fixture(scope="module")
def chromium():
    with open_browser() as browser:
        yield browser


class Page:
    """A report, its path, the records that it is about in order, and its trace's meta."""

    def __init__(self, folder):
        self.trace, self.path = folder / "a.trace", folder / "a.html"
        trace_maker.make_trace(self.trace, records=RECORDS, cpus=4)
        with Trace(self.trace) as trace, open(self.path, "w", encoding="utf-8") as file:
            self.meta = trace.meta
            write(trace, None, file, "a.trace")
            records = numpy.concatenate(list(trace.batches()))
        self.records = records[records["type"] != form.TYPE_TEXT]
        self.times = self.records["entry"] - numpy.uint64(trace_maker.START)
        self.exits = self.records["type"] == form.TYPE_EXIT

    def key(self, name):
        return self.meta["keys"].index(name)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_maker, "LINES", (*trace_maker.LINES, EVIL))
        return Page(tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(made, chromium):
    """The report, freshly opened; at the end nothing must have been written to the console."""
    chromium.log()
    chromium.set_size(1400, 900)
    chromium.open(made.path)
    yield chromium
    assert chromium.log() == []


def shown(page):
    """How many records the list says that it has."""
    return int(page.run("return document.getElementById('records-count').textContent").split()[0].replace(",", ""))


def click(page, selector):
    """A real click in the middle of an element."""
    element = page.driver.find_element("css selector", selector)
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    ActionChains(page.driver).move_to_element(element).click().perform()


def press(page, keys):
    ActionChains(page.driver).send_keys(keys).perform()


def view(page):
    """What the timeline shows, in ticks."""
    return page.run("return [window.ariel.timeline.view.from, window.ariel.timeline.view.to]")


def on_track(page, x, y=20):
    """ActionChains with the pointer on the tracks: x pixels right of the names, y below the first track's top."""
    canvas = page.driver.find_element("id", "tracks")
    page.run("document.getElementById('timeline').scrollIntoView({behavior: 'instant'})")
    width, height = page.run("const box = arguments[0].getBoundingClientRect(); return [box.width, box.height]", canvas)
    return ActionChains(page.driver).move_to_element_with_offset(canvas, int(LABELS + x - width / 2), int(22 + y - height / 2))


def test_the_page_has_the_records_as_they_are(page, made):
    assert page.run("return window.ariel.model.count") == len(made.records) == shown(page)
    sums = page.run("""const model = window.ariel.model; let time = 0, duration = 0, value = 0, sequence = 0;
        for (let at = 0; at < model.count; at++) {
          time += model.time[at]; duration += model.duration[at]; value += model.value.low[at]; sequence += model.sequence[at];
        } return [time, duration, value, sequence];""")
    records = made.records
    assert sums == [made.times.sum(), (records["exit"] - records["entry"]).sum(), records["value"].sum(),
                    records["sequence"][made.exits].sum()]
    at = int(numpy.flatnonzero(records["key"] == made.key("psci-cpu-on"))[0])
    words = page.run("return window.ariel.model.argumentsOf(arguments[0])", at)
    assert [word["high"] << 32 | word["low"] for word in words] == records["x"][at].tolist()


def test_a_click_on_a_key_filters_tables_timeline_and_list(page, made):
    pl011 = made.key("pl011")
    mine = made.records["key"] == pl011
    click(page, f'[data-table="keys"] [data-pick="key"][data-value="{pl011}"]')
    assert shown(page) == int(mine.sum())
    assert page.run("return document.querySelector('#filters .chip').textContent") == "keypl011 ×"
    functions = page.run("""return [...document.querySelectorAll('[data-table="functions"] tbody tr')].filter((row) => !row.hidden)
        .map((row) => [row.querySelector('.pick').textContent, row.querySelector('.selected').textContent])""")
    pcs, counts = numpy.unique(made.records["pc"][mine & made.exits], return_counts=True)
    assert dict(functions) == {f"{pc:#x}": f"{count:,}" for pc, count in zip(pcs.tolist(), counts.tolist())}
    chosen = page.run("return window.ariel.timeline.tracks.map((track) => track.chosen.length)")
    assert sum(chosen[:4]) == int((mine & made.exits).sum())
    press(page, Keys.ESCAPE)
    assert shown(page) == len(made.records) and page.run("return document.getElementById('filters').hidden")


def test_the_choices_add_up(page, made):
    click(page, '#machine [data-pick="vcpu"][data-value="2"]')
    click(page, f'[data-table="keys"] [data-pick="key"][data-value="{made.key("irq")}"]')
    click(page, '[data-pick="intid"][data-value="27"]')
    mine = (made.records["vcpu"] == 2) & (made.records["key"] == made.key("irq")) & (made.records["address"] == 27) & made.exits
    assert shown(page) == int(mine.sum()) > 0
    assert "27" in page.run("return document.getElementById('filters').textContent")


def test_search_finds_keys_addresses_and_lines(page, made):
    press(page, "/")
    assert page.run("return document.activeElement.id") == "query"
    press(page, "PMCCNTR")
    page.wait("return window.ariel.filter.choice.query === 'PMCCNTR'")
    assert shown(page) == int((made.records["key"] == made.key("PMCCNTR_EL0")).sum())
    press(page, Keys.ESCAPE)
    press(page, Keys.ESCAPE)
    assert shown(page) == len(made.records)
    press(page, "/")
    press(page, "0x9000018")
    page.wait("return window.ariel.filter.choice.query === '0x9000018'")
    assert shown(page) == int((made.records["address"] == 0x9000018).sum()) > 0
    page.run("const query = document.getElementById('query'); query.value = 'GICv3: 224'; query.dispatchEvent(new Event('input'))")
    page.wait("return document.querySelectorAll('#lines mark').length > 0")
    assert set(page.run("return [...document.querySelectorAll('#lines mark')].map((mark) => mark.textContent)")) == {"GICv3: 224"}


def test_keys_and_wheel_zoom_and_move(page):
    whole = view(page)
    on_track(page, 600).perform()
    press(page, "www")
    near = view(page)
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 1.5 ** 3)
    press(page, "d")
    assert view(page)[0] == pytest.approx(near[0] + 0.2 * (near[1] - near[0]))
    press(page, "a")
    assert view(page) == pytest.approx(near)
    press(page, "0")
    assert view(page) == pytest.approx(whole)
    page.run("""document.getElementById('tracks').dispatchEvent(new WheelEvent('wheel', {deltaY: -60, ctrlKey: true, bubbles: true,
        cancelable: true, clientX: 700, clientY: 300}))""")
    page.wait("return window.ariel.timeline.view.to - window.ariel.timeline.view.from < arguments[0]", 0.9 * (whole[1] - whole[0]))


def test_a_drag_moves_and_with_shift_selects_a_time(page, made):
    press(page, "www")
    before = view(page)
    on_track(page, 500).click_and_hold().move_by_offset(-200, 0).release().perform()
    assert view(page)[0] > before[0]
    on_track(page, 200).key_down(Keys.SHIFT).click_and_hold().move_by_offset(300, 0).release().key_up(Keys.SHIFT).perform()
    start, end = page.run("return window.ariel.filter.range")
    inside = (made.times >= start) & (made.times < end)
    assert 0 < shown(page) == int(inside.sum()) < len(made.records)
    keys, counts = numpy.unique(made.records["key"][inside & made.exits], return_counts=True)
    cells = page.run("""return [...document.querySelectorAll('[data-table="keys"] tbody tr')].filter((row) => !row.hidden)
        .map((row) => [Number(row.dataset.key), row.querySelector('.selected').textContent])""")
    assert dict(map(tuple, cells)) == {key: f"{count:,}" for key, count in zip(keys.tolist(), counts.tolist())}
    press(page, "f")
    assert view(page) == pytest.approx([start, end])


def test_a_click_shows_a_record_and_brackets_step(page, made):
    on_track(page, 0.5 * made.times[0] + 1).perform()
    page.run("window.ariel.timeline.view.set(0, 4000, true); window.ariel.timeline.draw()")
    scale = page.run("return window.ariel.timeline.width") / 4000
    on_track(page, float(made.times[1] * scale) + 1).click().perform()
    assert page.run("return window.ariel.record") == 1
    assert page.run("return document.querySelector('#detail .sentence').textContent") == (
        "vCPU 0 read REVIDR_EL1 at 0xffff80008001009c.")
    press(page, "]")
    assert page.run("return window.ariel.record") == 2
    press(page, "[[")
    assert page.run("return window.ariel.record") == 0
    assert "which features does it ask about?" in page.run("return document.getElementById('detail').textContent")
    press(page, Keys.ESCAPE)
    assert page.run("return document.getElementById('detail').textContent") == ""


def test_the_address_keeps_what_was_chosen(page, made):
    click(page, f'[data-table="keys"] [data-pick="key"][data-value="{made.key("gicd")}"]')
    press(page, "ww]")
    page.wait("return location.hash.includes('record=') && location.hash.includes('view=')")
    kept = page.run("return [location.hash, window.ariel.record, document.getElementById('records-count').textContent]")
    seen = view(page)
    page.open(made.path, kept[0])
    assert page.run("return [location.hash, window.ariel.record, document.getElementById('records-count').textContent]") == kept
    assert view(page) == pytest.approx(seen, abs=2)
    page.open(made.path, "#key=nothing-of-the-kind&row=9999&time=7&view=-&record=99999999")
    assert shown(page) == len(made.records)


def test_tables_and_the_list_are_sorted_by_a_click(page, made):
    def column(name, cell):
        return page.run(f"""return [...document.querySelectorAll('[data-table="{name}"] tbody tr')].map((row) =>
            row.cells[{cell}].dataset.sort ?? row.cells[{cell}].textContent)""")
    click(page, '[data-table="latency"] thead th:nth-child(6) .sort')
    numbers = [int(value) for value in column("latency", 5)]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) > 10
    click(page, '[data-table="latency"] thead th:nth-child(6) .sort')
    assert [int(value) for value in column("latency", 5)] == numbers[::-1]
    click(page, '[data-table="keys"] thead th:nth-child(1) .sort')
    names = column("keys", 0)
    assert names == sorted(names, key=lambda name: re.sub(r"[^a-z0-9]", "", name.lower()))
    click(page, ".record-head span:nth-child(10) .sort")
    top = page.run("return document.querySelector('.record-row span:nth-child(10)').textContent")
    longest = int((made.records["exit"] - made.records["entry"]).max()) * 16 / 1e6
    assert top == f"{longest:.2f} ms"


def test_the_list_scrolls_to_its_end(page, made):
    page.run("const body = document.querySelector('.record-body'); body.scrollTop = body.scrollHeight")
    last = f"{made.times[-1] / 62.5e6:.6f}"
    page.wait("return [...document.querySelectorAll('.record-row')].at(-1).firstChild.textContent === arguments[0]", last)
    assert page.run("return document.querySelectorAll('.record-row').length") < 40


def test_words_of_the_guest_are_text(page):
    page.run("const query = document.getElementById('query'); query.value = 'onerror'; query.dispatchEvent(new Event('input'))")
    page.wait("return document.querySelectorAll('#lines mark').length > 0")
    assert page.run("return document.querySelector('.line-row span').textContent") == EVIL
    assert page.run("return document.querySelectorAll('img, b[onclick], iframe').length") == 0
    assert page.run("return document.title").startswith("a.trace")


def test_no_script_of_another_can_run(page):
    page.run("const made = document.createElement('script'); made.textContent = 'window.intruder = 1'; document.body.append(made)")
    assert page.run("return window.intruder") is None
    assert any("Content Security Policy" in line for line in page.log())


def test_colours_follow_the_system_and_the_switch(page, made):
    def background():
        return page.run("return getComputedStyle(document.body).backgroundColor")

    light = background()
    page.set_dark(True)
    page.wait("return document.documentElement.dataset.theme === 'dark'")
    dark = background()
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(15, 18, 21)")
    page.run("const theme = document.getElementById('theme'); theme.value = 'light'; theme.dispatchEvent(new Event('change'))")
    assert background() == light
    page.open(made.path)
    assert background() == light, "the choice is kept"
    page.run("localStorage.clear()")
    page.set_dark(False)


# WCAG 2.1, 1.4.3: text has a contrast of 4.5 or more with what is behind it
CONTRAST = """
const lightness = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = (element) => { for (let at = element; at; at = at.parentElement) {
    const found = getComputedStyle(at).backgroundColor; if (!/, 0\\)$/.test(found)) return found; } return 'rgb(255, 255, 255)'; };
const bad = new Set();
for (const element of document.querySelectorAll('body *')) {
  if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || !element.offsetParent) continue;
  if (element.closest('.unused, svg, noscript, script')) continue;
  const pair = [lightness(getComputedStyle(element).color), lightness(behind(element))].sort((one, other) => other - one);
  const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (contrast < 4.5) bad.add(`${element.className} ${contrast.toFixed(2)}`);
}
return [...bad];
"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_enough_contrast_and_controls_have_names(page, dark):
    page.set_dark(dark)
    page.wait("return document.documentElement.dataset.theme === arguments[0]", "dark" if dark else "light")
    assert page.run(CONTRAST) == []
    assert page.run("""return [...document.querySelectorAll('button, select, input, a')].filter((element) =>
        !(element.textContent.trim() || element.ariaLabel || element.labels?.length)).map((element) => element.outerHTML)""") == []
    page.set_dark(False)


@pytest.mark.parametrize("width", [800, 1400])
def test_the_page_is_as_wide_as_the_window(page, width):
    page.set_size(width, 900)
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.wait("return Math.abs(document.getElementById('tracks').width - document.getElementById('stage').clientWidth) < 2")
