"""Open every page of a report in a headless browser and fail on what a reader would trip over.

    python .ci/browser.py report/build/smoke --out results/smoke/screenshots
    python .ci/browser.py report/build/laptop --preview report --paper flow_matching    # the README's pictures

Pages are index.html and */index.html. Each is opened at 1280 and 390 px, light and dark, with JavaScript and without it.
Checked: errors on the console, requests that leave the folder, sideways scrolling, pictures, links, ids, size and height;
with every detail open the contrast of all text (WCAG AA) and that Tab reaches everything and shows where it is; the script's
controls; and that nothing is cut off on paper. Saves the first screen and the whole page, and the printed page.
"""

import argparse
import io
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import checks
from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# the page is local: no sandbox needed in a container, and no background service of the browser may use the network
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
HEIGHTS = {1280: 800, 390: 844}  # px, of the window by its width
TALLEST = 16_000  # px of a screenshot; Chromium repeats itself beyond
LARGEST = (1280, 800)  # px of a picture for the README
PREVIEW = 150_000  # bytes of a picture for the README
WORKERS = 2  # browsers side by side


class Screen(NamedTuple):
    """What a reader has."""

    width: int = 1280
    theme: str = "light"
    script: bool = True

    @property
    def tabbed(self) -> bool:
        """Whether the keyboard is tried here: on half of the screens, with every two of the three properties together."""
        return sum((self.width == 1280, self.theme == "dark", self.script)) % 2 == 0

    def __str__(self) -> str:
        return f"{self.theme} {self.width} px" + ("" if self.script else " without script")


SCREENS = [Screen(*values) for values in product(HEIGHTS, ("light", "dark"), (True, False))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a report; return 0 if nothing is wrong, 1 if something is, 2 if there is no page or no browser."""
    parser = argparse.ArgumentParser(description="Check every page of a report in a headless browser.")
    parser.add_argument("report", type=Path, help="folder with index.html and */index.html")
    parser.add_argument("--out", type=Path, help="folder for the screenshots and printed pages")
    parser.add_argument("--preview", type=Path, metavar="DIR", help="write the README's pictures, preview-*.png, there instead")
    parser.add_argument("--paper", default="flow_matching", help="whose page preview-paper.png shows; default %(default)s")
    parser.add_argument("--figure", default="survey/grid-digits", help="what preview-figure.png shows; default %(default)s")
    options = parser.parse_args(arguments)
    folder = options.report.resolve()
    files = [file for file in [folder / "index.html", *sorted(folder.glob("*/index.html"))] if file.is_file()]
    beside, _, figure = options.figure.partition("/")
    drawn = folder / beside / "figures" / f"{figure}.png"
    shown = [folder / path / "index.html" for path in (".", options.paper, beside)] if options.preview else files[:1]
    if not executable() or not set(shown) <= set(files) or not files:
        missing = f"{folder} lacks pages; build them first" if executable() else "no Chromium on PATH; apt-get install chromium"
        print(f"error: {missing}", file=sys.stderr)
        return 2
    if options.preview:
        with browsing() as browser:
            preview(browser, *shown[:2], drawn, options.preview)
        return 0
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    tasks = iter(list(product(files, SCREENS)))  # of which each worker takes the next one when it is free
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = pool.map(lambda _: _work(tasks, folder, options.out), range(WORKERS))
    problems: dict[str, list[str]] = {}
    counted: Counter[str] = Counter()
    for found, counts in parts:
        counted += counts
        for problem, screen in found:
            problems.setdefault(problem, []).append(screen)
    for problem, screens in sorted(problems.items()):
        print(f"problem: {problem} [{'every screen' if len(screens) == len(SCREENS) else ', '.join(screens)}]", file=sys.stderr)
    totals = ", ".join(f"{number} {name}" for name, number in counted.items())
    print(f"{folder}: {len(files)} pages on {len(SCREENS)} screens each, {totals}: {len(problems)} problems")
    return 1 if problems else 0


def executable() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start a browser for one thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, screen: Screen) -> Iterator[Page]:
    """Open an empty page as the screen shows it: without network, and without motion, so that a picture is of the end of it."""
    size = {"width": screen.width, "height": HEIGHTS[screen.width]}
    with browser.new_context(viewport=size, color_scheme=screen.theme, reduced_motion="reduce", offline=True) as context:
        context.set_default_timeout(60_000)  # patience: a busy machine is no fault of the page
        yield context.new_page()


def check(browser: Browser, file: Path, folder: Path, screen: Screen, out: Path | None = None) -> tuple[list[str], Counter[str]]:
    """Return the problems of one page on one screen, each once, and how much was looked at. Paths are absolute."""
    heard: list[str] = []
    counts: Counter[str] = Counter()
    with window(browser, screen) as page:
        checks.listen(page, folder, heard)
        try:
            asked = checks.visit(page, file, screen.script)
            if out and screen.script:
                photograph(page, out / f"{_name(file, folder)}-{screen.theme}-{screen.width}")
            heard += checks.as_it_opens(asked, file, folder, screen.width)
            heard += checks.opened(asked)
            if screen.tabbed:
                heard += checks.keyboard(page, asked)
            if screen.script:
                heard += checks.controls(page)
                heard += checks.dots(page)
            if screen.width == 1280 and screen.theme == "light":
                heard += checks.printed(page, asked, out / f"{_name(file, folder)}.pdf" if out and screen.script else None)
            counts += Counter(asked.evaluate("it => it.counted()"))
        except Error as error:
            heard.append(f"the page does not answer: {error.message.splitlines()[0]}")
    return list(dict.fromkeys(heard)), counts


def photograph(page: Page, stem: Path) -> None:
    """Save the first screen, and the whole page as far as the browser can draw it."""
    page.screenshot(path=f"{stem}.png")
    size = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    page.screenshot(
        path=f"{stem}-whole.png", full_page=True, clip={"x": 0, "y": 0, "width": size[0], "height": min(size[1], TALLEST)}
    )


def preview(browser: Browser, index: Path, paper: Path, figure: Path, out: Path) -> None:
    """Write the first screens of the index and of a paper's page, light, and a figure, in as many colours as fit into PREVIEW."""
    with window(browser, Screen()) as page:
        for name, file in {"index": index, "paper": paper, "figure": figure}.items():
            if file != figure:
                checks.visit(page, file, script=True)
            picture = Image.open(figure if file == figure else io.BytesIO(page.screenshot())).convert("RGB")
            picture.thumbnail(LARGEST)
            for colours in (256, 128, 64, 32, 16):
                picture.quantize(colours, dither=Image.Dither.NONE).save(out / f"preview-{name}.png", optimize=True)
                if (out / f"preview-{name}.png").stat().st_size < PREVIEW:
                    break


def _work(tasks: Iterator[tuple[Path, Screen]], folder: Path, out: Path | None) -> tuple[list[tuple[str, str]], Counter[str]]:
    """Check pages on screens in one browser; return (problem, screen) pairs and counts."""
    found, counted = [], Counter()
    with browsing() as browser:
        for file, screen in tasks:
            messages, counts = check(browser, file, folder, screen, out)
            found += [(f"{file.relative_to(folder)}: {message}", str(screen)) for message in messages]
            counted += counts
    return found, counted


def _name(file: Path, folder: Path) -> str:
    return "index" if file.parent == folder else file.parent.name


if __name__ == "__main__":
    sys.exit(main())
