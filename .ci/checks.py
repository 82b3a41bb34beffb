"""The checks of one page on one screen: each yields messages. What can be asked inside the page is asked by checks.js."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import JSHandle, Page

SOURCE = Path(__file__).with_suffix(".js").read_text()
BYTES, HEIGHT = 2_000_000, 12_000  # a page's file; its height in px at 1280 px, as it opens
PAPER = {"width": 718, "height": 1000}  # px between the margins of an A4 sheet
SIDES = (("x", "width"), ("y", "height"))
SETTLED = 200  # ms, after which a page has stopped scrolling
PATIENCE = 100  # times 100 ms for pictures to load


def listen(page: Page, folder: Path, heard: list[str]) -> None:
    """Note from now on console errors, uncaught exceptions, what does not load and what is asked for outside the folder."""
    page.on("console", lambda message: heard.append(f"console: {message.text[:300]}") if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(f"uncaught: {str(error)[:300]}"))

    def request(url: str) -> None:
        parts = urlsplit(url)
        inside = parts.scheme == "file" and Path(unquote(parts.path)).resolve().is_relative_to(folder)
        if not inside and parts.scheme != "data":
            heard.append(f"asks for {url[:200]}, which is outside the report")

    page.on("request", lambda sent: request(sent.url))
    page.on("requestfailed", lambda sent: heard.append(f"not loaded: {sent.url[:200]}"))


def visit(page: Page, file: Path, script: bool) -> JSHandle:
    """Load a page and its pictures, lazy ones too; return the object of checks.js. Without script the page's own never runs."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setScriptExecutionDisabled", {"value": not script})
    page.goto(file.as_uri())
    session.send(
        "Emulation.setScriptExecutionDisabled", {"value": False}
    )  # what the page has is not run any more, what we ask is
    asked = page.evaluate_handle(SOURCE)
    for _ in range(PATIENCE):
        if asked.evaluate("it => it.complete()"):
            break
        page.wait_for_timeout(100)
    return asked


def as_it_opens(asked: JSHandle, file: Path, folder: Path, width: int) -> Iterator[str]:
    """Yield what is wrong before anything is touched: size, sideways scrolling, pictures, ids and links."""
    if (size := file.stat().st_size) > BYTES:
        yield f"the file has {size / 1e6:.2f} MB, more than {BYTES / 1e6:.2f}"
    if width >= 1280 and (height := asked.evaluate("it => it.height()")) > HEIGHT:
        yield f"the page is {height} px high, more than {HEIGHT}"
    yield from asked.evaluate("it => it.overflow()")
    yield from asked.evaluate("it => it.pictures()")
    names = Counter(asked.evaluate("it => it.ids()"))
    yield from (f"{count} elements have the id {name}" for name, count in names.items() if count > 1)
    for place, target in asked.evaluate("it => it.links()"):
        if words := _lost(target, file, folder, names):
            yield f"{place} links to {target[:200]}: {words}"


def opened(asked: JSHandle) -> Iterator[str]:
    """Open what is folded away; yield what is wrong with width and contrast then."""
    asked.evaluate("it => it.open()")
    yield from asked.evaluate("it => it.overflow()")
    yield from asked.evaluate("it => it.contrast()")
    if not asked.evaluate("it => it.counted().texts"):
        yield "the page shows no text"


def keyboard(page: Page, asked: JSHandle) -> Iterator[str]:
    """Press Tab for as long as it leads somewhere new; yield what it did not reach and where it could not be seen."""
    asked.evaluate("it => it.stops()")
    new = True
    while new:
        for _ in range(10):
            page.keyboard.press("Tab")
        new = asked.evaluate("it => it.moved()")
    yield from asked.evaluate("it => it.missed()")


def printed(page: Page, asked: JSHandle, target: Path | None) -> Iterator[str]:
    """Print the page, to `target` if given; yield what is lost on a sheet."""
    size = page.viewport_size
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    for message in [*asked.evaluate("it => it.overflow()"), *asked.evaluate("it => it.cut()")]:
        yield f"on paper: {message}"
    page.emulate_media(media="screen")
    page.set_viewport_size(size)
    sheets = len(re.findall(rb"/Type /Page\b", page.pdf(path=target)))
    if not sheets:
        yield "on paper: no sheets"


def controls(page: Page) -> Iterator[str]:
    """Yield what does not work of the filter, the sorting and the enlarged figures, where the page has them."""
    rows = page.locator("table.claims tbody tr")
    words = page.locator("form.filter [name=words]")
    if rows.count() and words.count():
        words.fill("no claim says this")
        if rows.filter(visible=True).count():
            yield "the filter of the claims leaves rows that it should hide"
        words.fill("")
    head = page.locator("table.claims th", has_text="Verdict")
    if rows.count() and head.count():
        head.locator("button").click()
        order = [float(value) for value in rows.locator("td:last-child").evaluate_all("cells => cells.map(c => c.dataset.value)")]
        if head.get_attribute("aria-sort") != "ascending" or order != sorted(order):
            yield "a click on a heading does not sort the claims"
    if page.locator("figure button.zoom").count():
        page.locator("figure button.zoom").first.click()
        if not page.locator("dialog.lightbox img").is_visible():
            yield "a click on a figure does not enlarge it"
        page.keyboard.press("Escape")
        if page.locator("dialog.lightbox img").is_visible():
            yield "Escape does not close the enlarged figure"


def dots(page: Page) -> Iterator[str]:
    """Point at a dot of a figure that names its dots, and step to it by an arrow key; yield where it does not say what it is."""
    images = page.locator("figure img[data-tips]").filter(visible=True)
    if not images.count():
        return
    image, tip = images.first, page.locator("output.tip")
    image.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLED)
    lines = [line.split(" ", 2) for line in image.get_attribute("data-tips").splitlines()]
    box = image.bounding_box()
    page.mouse.move(*(box[corner] + box[side] * float(lines[0][axis]) / 100 for axis, (corner, side) in enumerate(SIDES)))
    if not tip.is_visible() or tip.inner_text() not in [text for *_, text in lines]:
        yield "a dot of a figure that is pointed at does not say what it is"
    page.mouse.move(0, 0)
    if tip.is_visible():
        yield "what a dot says stays when the pointer has left it"
    image.locator("xpath=ancestor::button").focus()
    page.wait_for_timeout(SETTLED)
    page.keyboard.press("ArrowRight")
    if not tip.is_visible() or tip.inner_text() != " ".join(lines[0][2].split()):
        yield "an arrow key does not step to the first dot of a figure"
    page.keyboard.press("Escape")


def _lost(target: str, file: Path, folder: Path, own: Counter) -> str:
    """Say why a link leads nowhere; nothing if it does not, or leads to the web."""
    parts = urlsplit(target)
    if parts.scheme in ("http", "https", "mailto", "data"):
        return ""
    if parts.scheme or parts.netloc or parts.path.startswith("/"):
        return "not a relative link"
    aim = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if not aim.is_relative_to(folder):
        return "outside the report"
    if not aim.is_file():
        return "a folder, not a file" if aim.is_dir() else "there is no such file"
    if parts.fragment and aim.suffix == ".html" and unquote(parts.fragment) not in (own if aim == file else _ids(aim)):
        return "there is no such place"
    return ""


@cache
def _ids(file: Path) -> frozenset[str]:
    found: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.update(value for name, value in attributes if name == "id" and value)
    parser.feed(file.read_text())
    return frozenset(found)
