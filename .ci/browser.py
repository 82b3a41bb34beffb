"""Open a report in a headless browser and fail on what a reader would trip over.

    python .ci/browser.py report/build/smoke/index.html --out results/smoke/screenshots

Checked: errors on the console, requests that leave the page's folder, pictures that do not load or have no text, links
that lead nowhere, scrolling sideways on a phone, and that the script's filter, sorting and enlarged figures work. Saves
screenshots of the whole page as a desktop (1280 px, light and dark) and a phone (390 px) show it.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, Error, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# the page is local: no sandbox needed in a container, and no background service of the browser may use the network
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SCREENS = {"desktop": (1280, "light"), "desktop-dark": (1280, "dark"), "phone": (390, "light")}


def main() -> int:
    """Check one page; return 0 if nothing is wrong, 1 if something is, 2 if there is no page or no browser."""
    parser = argparse.ArgumentParser(description="Check a report in a headless browser.")
    parser.add_argument("page", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the screenshots")
    options = parser.parse_args()
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not options.page.is_file() or not executable:
        missing = f"{options.page} does not exist" if executable else "no Chromium on PATH; apt-get install chromium"
        print(f"error: {missing}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        problems = list(dict.fromkeys(check(browser, options.page.resolve(), options.out)))
        browser.close()
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    print(f"{options.page}: {len(problems)} problems; screenshots in {options.out}")
    return 1 if problems else 0


def check(browser: Browser, file: Path, out: Path) -> Iterator[str]:
    """Yield every problem of the page, on each screen."""
    for name, (width, scheme) in SCREENS.items():
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(60_000)  # patience: a busy machine is no fault of the page
        heard: list[str] = []
        listen(page, heard)
        page.goto(file.as_uri())
        yield from pictures(page)  # first: it waits until they are decoded
        page.screenshot(path=out / f"{name}.png", full_page=True)
        yield from links(page, file)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            yield f"{name}: the page scrolls sideways by {overflow} px at {width} px"
        try:
            yield from script(page)
        except Error as error:
            yield f"the page's script does not answer: {error.message.splitlines()[0]}"
        yield from heard
        page.close()


def listen(page: Page, heard: list[str]) -> None:
    """Note console errors, uncaught exceptions and requests that leave the machine."""
    page.on("console", lambda message: heard.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(f"script: {error}"))
    page.on("requestfailed", lambda request: heard.append(f"not loaded: {request.url[:200]}"))

    def request(url: str) -> None:
        if urlsplit(url).scheme not in ("file", "data"):
            heard.append(f"request to {url}")

    page.on("request", lambda sent: request(sent.url))


def pictures(page: Page) -> Iterator[str]:
    """Yield pictures that do not load or that have no text."""
    for number, image in enumerate(page.locator("img").all(), 1):
        if not image.evaluate("image => image.decode().then(() => image.naturalWidth > 0, () => false)"):
            yield f"picture {number} does not load"
        if not (image.get_attribute("alt") or "").strip():
            yield f"picture {number} has no alt text"


def links(page: Page, file: Path) -> Iterator[str]:
    """Yield links that lead nowhere: anchors without a target and files that are not there. Web addresses are left alone."""
    doubled = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)")
    yield from (f"two elements have the id {identifier}" for identifier in doubled)
    for target in dict.fromkeys(page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")):
        parts = urlsplit(target)
        if parts.scheme in ("http", "https", "mailto"):
            continue
        if parts.path and not (file.parent / unquote(parts.path)).is_file():
            yield f"link to {target}: there is no such file"
        if not parts.path and not page.evaluate("id => !!document.getElementById(id)", unquote(parts.fragment)):
            yield f"link to {target}: there is no such place"


def script(page: Page) -> Iterator[str]:
    """Yield what does not work of the filter, the sorting and the enlarged figures; leave the page as it was."""
    rows = page.locator("table.claims tbody tr")
    if rows.count():
        page.fill("form.filter [name=words]", "no claim says this")
        if rows.filter(visible=True).count():
            yield "the filter of the claims leaves rows that it should hide"
        page.fill("form.filter [name=words]", "")
        head = page.locator("table.claims th", has_text="Verdict")
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


if __name__ == "__main__":
    sys.exit(main())
