"""MLflow's UI in a real Chromium: it opens on the comparison, and every link and table of ours is shown.

Screenshots are kept in build/screenshots; `make screenshots` puts the README's in place.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from nadlab.tracking.mlflow_internals import view_link
from perf.mlflow_server import served

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SECONDS = 90
pytestmark = [pytest.mark.timeout(600), pytest.mark.services]
EXPERIMENT = "1"  # the first one of a new store, as in the README's link


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs Debian's chromium and chromium-driver: `make test` installs them where it runs as root")
    options = Options()
    options.binary_location = chromium
    wanted = ["--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1500,1100"]
    for argument in wanted + (["--no-sandbox"] if os.geteuid() == 0 else []):  # the sandbox refuses root
        options.add_argument(argument)
    with Chrome(options, Service(driver)) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(smoke_study: Any) -> Iterator[str]:
    with served(smoke_study.out, "--workers", "1") as server:
        yield server.address


class Page:
    """The browser's page, read only when it shows what is waited for."""

    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser = browser
        self.address = address

    def open(self, link: str) -> None:
        self.browser.get("about:blank")  # else a new fragment alone would not load the page anew
        self.browser.get(f"{self.address}/{link}")

    def wait(self, what: str, shown: Callable[[], Any]) -> Any:
        return WebDriverWait(self.browser, SECONDS, ignored_exceptions=[Exception]).until(lambda _: shown(), what)

    def text(self) -> str:
        return " ".join(self.browser.find_element(By.TAG_NAME, "body").text.split())

    def shows(self, *words: str) -> None:
        self.wait(f"the page shows {words}", lambda: all(word in self.text() for word in words))

    def link(self, text: str) -> WebElement:
        found = self.wait(f"a link {text}", lambda: self.browser.find_elements(By.LINK_TEXT, text))
        element: WebElement = found[0]
        return element

    def follow(self, text: str) -> None:
        """Open what a link names: MLflow draws its pages anew while they load, and a click can fall in between."""
        address = self.link(text).get_attribute("href") or ""
        self.browser.get("about:blank")
        self.browser.get(address)

    def button(self, text: str) -> WebElement:
        path = f"//button[normalize-space()='{text}']"
        element: WebElement = self.wait(f"a button {text}", lambda: self.browser.find_element(By.XPATH, path))
        return element

    def count(self, selector: str) -> int:
        return len(self.browser.find_elements(By.CSS_SELECTOR, selector))

    def save(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        shown = Image.open(BytesIO(self.browser.get_screenshot_as_png())).convert("RGB")
        shown.quantize(128).save(SCREENSHOTS / f"{name}.png", optimize=True)  # a third of the bytes, for the documents


@pytest.fixture
def page(browser: Chrome, address: str) -> Page:
    return Page(browser, address)


TRIALS = [f"alpha = {alpha}, seed {seed}" for alpha in (0.1, 0.5) for seed in (0, 1)]


def test_saved_view_plots_every_trial(page: Page) -> None:
    page.open(view_link(EXPERIMENT, "trials"))
    page.shows(
        *TRIALS, "Study (4)", "Parallel Coordinates", "Showing all runs", "incumbent/test_accuracy", "predictor/val_tau"
    )
    page.wait("curves and bars", lambda: page.count("svg.main-svg") >= 2)
    page.save("comparison")


def test_saved_view_averages_the_levels(page: Page) -> None:
    page.open(view_link(EXPERIMENT, "levels"))
    page.shows("Group by: level", "Group: 0.1", "Group: 0.5", "Study (3)")
    page.save("levels")


def test_study_is_found_and_its_runs_are_selected_and_compared(page: Page) -> None:
    page.open("#/experiments")
    page.link("ablate_alpha").click()
    page.shows("How much does alpha", "Run Name", "5 matching runs")
    page.open(view_link(EXPERIMENT, "trials", "TABLE"))
    page.shows(*TRIALS, "regret", "Dataset", "Metrics", "ablate_alpha")
    page.save("list")
    page.browser.find_element(By.CSS_SELECTOR, ".ag-header-select-all input, .ag-header input[type=checkbox]").click()
    page.button("Compare").click()
    page.shows("Comparing 4 Runs from 1 Experiment", "Parallel Coordinates Plot", *TRIALS)
    page.wait("parallel coordinates", lambda: page.count(".parcoords"))
    axes = [element.text for element in page.browser.find_elements(By.CSS_SELECTOR, ".axis-title")]
    assert {"alpha", "seed", "incumbent/test_accuracy"} <= set(axes)
    page.save("compare")


def test_trial_links_to_its_study_whose_description_is_the_report(page: Page) -> None:
    page.open(view_link(EXPERIMENT, "trials", "TABLE"))
    page.link(TRIALS[0]).click()
    page.shows("A trial of", "accuracy %", "Metrics")
    page.save("run")
    page.follow("ablate_alpha on nasbench201/toy")
    page.shows("Read the whole report, compare the trials")
    page.button("Show more").click()
    page.shows("difference to default", "not differ significantly")
    page.save("study")
    page.follow("the means of the levels")
    page.shows("Group by: level")


def test_report_of_a_study_is_a_page_among_its_artifacts(page: Page) -> None:
    page.open(view_link(EXPERIMENT, "trials", "TABLE"))
    page.link(TRIALS[0]).click()
    page.follow("ablate_alpha on nasbench201/toy")
    page.follow("the whole report")
    frame = page.wait("the page", lambda: page.browser.find_element(By.CSS_SELECTOR, "iframe"))
    page.browser.switch_to.frame(frame)
    page.shows("How much does alpha", "What the results say")
    page.save("report")
    page.browser.switch_to.default_content()


def test_ledger_of_a_trial_is_a_table(page: Page) -> None:
    page.open(view_link(EXPERIMENT, "trials", "TABLE"))
    page.link(TRIALS[0]).click()
    page.shows("A trial of")
    page.browser.get(
        f"{page.browser.current_url.partition('?')[0]}/artifacts/ledger.json?workflowType=machine_learning"
    )
    page.shows("View as table", "number", "cell", "|+|")
    page.save("ledger")
