"""The page of `kmcodec measure --html`, as Chromium shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmcodec.measure import NamedPicture, page_of, sweep
from kmcodec.measure.records import Point
from tests.browser import Browser, find_chromium

NASTY = '</script><img src=x onerror="document.title=1">{{data}}&.png'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with Browser(program) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """A page of two pictures, one of a name that tries to break out, by four codecs."""
    alpha = np.full((50, 60, 4), 200, np.uint8)
    alpha[10:30, 20:40] = (255, 0, 0, 90)
    pictures = [NamedPicture("photo.png", photo[:96, :128].copy()), NamedPicture(NASTY, alpha)]
    encoded: dict[tuple[str, Point], bytes] = {}
    folder = tmp_path_factory.mktemp("page")
    result = sweep(pictures, colors=(2, 16), peers=("png", "png8", "jpeg", "webp"), peer_quality=(30, 80), files=folder)
    for record in result:
        files = [path for path in folder.rglob("*.*") if path.is_file() and path.stat().st_size == record.file_bytes]
        encoded[record.picture, record.point] = files[0].read_bytes()
    path = folder / "page.html"
    path.write_text(page_of(result, pictures, encoded), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.open(page)
    browser.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    return browser


def test_it_loads_from_disk_without_a_complaint_or_a_request(opened: Browser, page: Path) -> None:
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("data:image/")] == [page.as_uri()]


def test_its_policy_forbids_it_to_load_anything(page: Path) -> None:
    assert "default-src 'none'; img-src data:;" in page.read_text(encoding="utf-8")


def test_a_file_name_is_text_and_nothing_else(opened: Browser) -> None:
    assert opened.evaluate("document.title") == "Size against quality: 2 pictures"
    assert opened.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert NASTY in opened.evaluate("[...document.querySelectorAll('#figures td')].map((cell) => cell.textContent)")
    assert NASTY in opened.evaluate("[...document.querySelectorAll('#picture option')].map((each) => each.text)")


def test_the_slider_divides_the_pictures(opened: Browser) -> None:
    opened.evaluate("document.getElementById('split').focus()")
    opened.press("Home", 36)
    assert opened.evaluate("document.getElementById('split').value") == "0"
    assert opened.evaluate("document.getElementById('left-image').style.clipPath") == "inset(0px 100% 0px 0px)"
    opened.press("ArrowRight", 39)
    assert opened.evaluate("document.getElementById('divider').style.left") == "1%"
    assert opened.evaluate("document.getElementById('right-image').style.clipPath") == "inset(0px 0px 0px 1%)"
    assert opened.evaluate("document.getElementById('split').ariaValueText || document.getElementById('split').getAttribute('aria-valuetext')") == "1 % left, 99 % right"  # fmt: skip  # noqa: E501


def test_what_is_shown_left_and_right_of_the_divider_are_the_two_pictures(opened: Browser) -> None:
    """Of the screenshot, not of the document: the original at its left, two colours at its right."""
    choose(opened, "zoom", "2")
    box = opened.evaluate(
        "(() => { const b = document.getElementById('frame').getBoundingClientRect();"
        " return [b.left + scrollX, b.top + scrollY, b.width, b.height]; })()"
    )
    shot = np.asarray(Image.open(BytesIO(opened.screenshot())).convert("RGB"))
    left, top, width, height = (round(value) for value in box)
    frame = shot[top : top + height, left : left + width][2:-2]  # its edges may lie within a pixel
    assert (width, height) == (256, 192)
    assert len(np.unique(frame[:, 2:124].reshape(-1, 3), axis=0)) > 1000
    assert len(np.unique(frame[:, 132:-2].reshape(-1, 3), axis=0)) == 2


def test_zoom_by_menu_and_by_key(opened: Browser) -> None:
    choose(opened, "zoom", "4")
    assert opened.evaluate("document.getElementById('frame').style.width") == "512px"
    opened.evaluate("document.getElementById('stage').focus()")
    opened.press("+")
    assert opened.evaluate("document.getElementById('frame').style.width") == "1024px"
    opened.press("-")
    opened.press("-")
    assert opened.evaluate("document.getElementById('frame').style.width") == "256px"


def test_the_palette_is_shown_as_swatches(opened: Browser) -> None:
    assert opened.evaluate("document.querySelectorAll('.swatches li').length") == 2
    choose(opened, "right", "1")
    assert opened.evaluate("document.querySelectorAll('.swatches li').length") == 16
    label = opened.evaluate("document.querySelector('.swatches li').getAttribute('aria-label')")
    assert re.fullmatch(r"#[0-9a-f]{6}, \d+\.\d+ % of the pixels", label)


def test_the_error_map_is_the_absolute_difference(opened: Browser) -> None:
    choose(opened, "left", "0")
    choose(opened, "right", "original")
    error = error_map(opened, gain=4)
    choose(opened, "right", "0")
    assert error_map(opened, gain=4).max() == 0
    assert error.shape == (96, 128, 3)
    assert error.max() == 255
    choose(opened, "left", "original")
    np.testing.assert_array_equal(error_map(opened, gain=4), error)
    exact = error_map(opened, gain=1)
    np.testing.assert_array_equal(np.minimum(255, 4 * exact.astype(int)), error)


def error_map(browser: Browser, gain: int) -> np.ndarray:
    choose(browser, "mode", str(gain))
    browser.evaluate(f"drawError(document.getElementById('error'), {gain})")
    url = browser.evaluate("document.getElementById('error').toDataURL()")
    import base64

    return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def test_the_table_sorts_both_ways_by_number(opened: Browser) -> None:
    heading = "document.querySelectorAll('#figures th')[3]"
    column = "[...document.querySelectorAll('#figures tbody tr')].map((row) => Number(row.cells[3].textContent))"
    opened.evaluate(f"{heading}.firstChild.focus()")
    opened.press("Enter", 13)
    opened.evaluate(f"{heading}.getAttribute('aria-sort') || {heading}.firstChild.click()")
    assert opened.evaluate(f"{heading}.getAttribute('aria-sort')") == "ascending"
    sizes = opened.evaluate(column)
    assert sizes == sorted(sizes)
    assert len(sizes) > 12
    opened.evaluate(f"{heading}.firstChild.click()")
    assert opened.evaluate(column) == sorted(sizes, reverse=True)
    assert "falling" in opened.evaluate("document.getElementById('sorted').textContent")


def test_the_table_can_be_of_one_picture(opened: Browser) -> None:
    choose(opened, "table-picture", "photo.png")
    shown = opened.evaluate(
        "[...document.querySelectorAll('#figures tbody tr')].filter((row) => !row.hidden)"
        ".map((row) => row.cells[0].textContent)"
    )
    assert set(shown) == {"photo.png"}


def test_curves_are_drawn_for_every_metric_and_can_be_hidden(opened: Browser) -> None:
    assert opened.evaluate("document.querySelectorAll('#panels svg').length") == 4
    lines = "document.querySelectorAll('#panels svg:first-of-type polyline').length"
    before = opened.evaluate(lines)
    opened.evaluate("document.querySelector('#legend button').click()")
    assert opened.evaluate("document.querySelector('#legend button').getAttribute('aria-pressed')") == "false"
    assert opened.evaluate(lines) == before - 4


def test_bd_rates_are_against_any_codec(opened: Browser) -> None:
    def rates() -> list[str]:
        found: list[str] = opened.evaluate("[...document.querySelectorAll('#bd tbody tr')].map((row) => row.innerText)")
        return found

    against_own = rates()
    assert against_own[0].startswith("png8")
    choose(opened, "bd-reference", "png8")
    assert rates()[0].startswith("kmcodec")


def test_every_control_has_a_name(opened: Browser) -> None:
    unnamed = opened.evaluate(
        "[...document.querySelectorAll('select, input, button')].filter((each) =>"
        " !(each.labels && each.labels.length) && !each.textContent.trim()).map((each) => each.outerHTML)"
    )
    assert unnamed == []
    assert opened.evaluate("[...document.images].every((image) => image.alt)")


@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_any_width_and_follows_the_scheme(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)")


def test_a_page_without_pictures_says_so(browser: Browser, page: Path, photo: np.ndarray) -> None:
    result = sweep([NamedPicture("photo", photo[:32, :32].copy())], colors=(2,), peers=("png8",))
    path = page.with_name("none.html")
    path.write_text(page_of(result), encoding="utf-8")
    browser.open(path)
    assert browser.complaints == []
    assert browser.evaluate("document.getElementById('no-pictures').hidden") is False


def test_markup_is_balanced_whatever_the_names(page: Path) -> None:
    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            del attributes
            if tag not in ("meta", "img", "input"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag == "option" or tag in self.open[-1:]:
                self.open.pop()
            else:
                pytest.fail(f"</{tag}> closes {self.open[-1:]}")

    checker = Checker()
    checker.feed(page.read_text(encoding="utf-8"))
    assert checker.open == []


def choose(browser: Browser, control: str, value: str) -> None:
    browser.evaluate(
        f"(() => {{ const control = document.getElementById({control!r}); control.value = {value!r};"
        " control.dispatchEvent(new Event('change')); })()"
    )
    browser.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
