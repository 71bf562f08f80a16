"""Every page as a person sees it: no error, SQL's figures, filters that work, links that reproduce, true downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.app import PAGES
from dashboards.filters import Filters
from dashboards.publication import Publication, build_query
from dashboards.words import usd
from orchestration.publishing.reader import open_marts

PATIENCE_MS = 120_000
MOST_TABS = 80
SIZES = {"desk": (1280, 900), "telephone": (390, 844)}

Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Open]:
    """Open a page and wait until it stands; at the end, nothing may have gone wrong in it."""
    contexts, troubles = [], []

    def open_page(path: str = "", size: tuple[int, int] = SIZES["desk"], look: str = "light") -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=look)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if is_trouble(message) else None)
        page.on("request", lambda sent: None if sent.url.startswith((address, "data:", "blob:")) else elsewhere(sent))
        page.goto(f"{address}/{path}")
        settled(page)
        return page

    def elsewhere(sent) -> None:
        troubles.append(f"asked {sent.url}")

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def is_trouble(message) -> bool:
    """Streamlit looks for its server below the page's own path first; that it is not there is no error."""
    is_probe = "404" in message.text and "/_stcore/" in message.location.get("url", "")
    return message.type == "error" and not is_probe


def settled(page: Page) -> None:
    """Wait until the script has run to its end."""
    expect(page.locator(".tu-title").first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached(
        timeout=PATIENCE_MS
    )
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0, timeout=PATIENCE_MS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_stands(opened: Open, pictures: Path, path: str, size: str) -> None:
    page = opened(path, SIZES[size])
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
    expect(page.locator(".tu-title").first).to_have_text(PAGES[path][0])
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth")
    assert wide <= 0, "the page itself must not scroll sideways"
    picture(page, pictures / f"{path or 'overview'}-{size}.png", SIZES[size])


def test_dark(opened: Open, pictures: Path) -> None:
    pages = {look: opened("", look=look) for look in ("light", "dark")}
    page, words = brightness(pages["light"])
    assert page > 2 * words, "dark words on a light page"
    page, words = brightness(pages["dark"])
    assert words > 2 * page, "light words on a dark page"
    picture(pages["dark"], pictures / "overview-dark.png", SIZES["desk"])


def test_a_tenant_is_reached_by_keyboard_alone(opened: Open) -> None:
    page = opened("tenants")
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.tu-table a:focus-visible')"):
            break
    name = page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Enter")
    page.wait_for_url("**tenant=**", timeout=PATIENCE_MS)
    settled(page)
    expect(page.locator(".tu-title").nth(1)).to_have_text(name)


def test_spend_is_what_sql_gives(opened: Open, settings) -> None:
    with Publication(settings.published).open() as snapshot:
        days = Filters().days(snapshot.newest)
        cost, unpriced = snapshot.connection.execute(
            "select sum(effective_cost_usd), sum(unpriced_attempts_count) from unit_economics_by_feature_day "
            "where usage_date between $1 and $2",
            [days.first, days.last],
        ).fetchall()[0]
    expect(opened().locator('[data-testid="stMetricValue"]').first).to_have_text(usd(cost, unpriced))


def test_a_filter_narrows_and_its_link_reproduces_the_view(opened: Open, settings) -> None:
    page = opened("features")
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("combobox", name="Feature").click()
    page.get_by_role("option").nth(1).click()
    page.wait_for_url("**feature=**", timeout=PATIENCE_MS)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Clear filters")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("radio", name="List").click(force=True)
    page.wait_for_url("**basis=list**", timeout=PATIENCE_MS)
    settled(page)
    table = page.locator(".tu-table").first
    expect(table.locator("tbody tr")).to_have_count(1, timeout=PATIENCE_MS)
    shown = table.inner_text()
    link = page.url.partition("/features")[2]
    assert "feature=" in link
    expect(opened(f"features{link}").locator(".tu-table").first).to_have_text(
        table.text_content() or "", timeout=PATIENCE_MS
    )
    feature, spend = shown.splitlines()[-1].split("\t")[:2]
    with open_marts(settings.published) as marts:
        cost, unpriced = marts.execute(
            "select sum(list_cost_usd), sum(unpriced_attempts_count) from unit_economics_by_feature_day "
            "where feature = $1 and usage_date > (select max(usage_date) - 30 from unit_economics_by_feature_day)",
            [feature],
        ).fetchall()[0]
    assert spend == usd(cost, unpriced)


def test_a_download_is_the_mart(opened: Open, settings, tmp_path: Path) -> None:
    page = opened("features")
    with page.expect_download(timeout=PATIENCE_MS) as download:
        page.get_by_role("button", name="Parquet").first.click()
    download.value.save_as(tmp_path / "features.parquet")
    with Publication(settings.published).open() as snapshot:
        query = build_query("spend_by_feature_day", Filters(), Filters().days(snapshot.newest))
        assert pq.read_table(tmp_path / "features.parquet").to_pylist() == snapshot.rows(query)


def brightness(page: Page) -> tuple[float, float]:
    """Return how bright the page and its words are, from 0 to 255."""
    return page.evaluate(
        """() => {
            const mean = text => text.match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part) / 3, 0);
            const style = getComputedStyle(document.querySelector('[data-testid=stApp]'));
            return [mean(style.backgroundColor), mean(style.color)];
        }"""
    )


def picture(page: Page, file: Path, size: tuple[int, int]) -> None:
    """Keep the whole page, charts drawn."""
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": size[0], "height": max(size[1], min(height, 4000))})
    charts = page.locator('[data-testid="stVegaLiteChart"]')
    if charts.count():
        expect(charts.last.locator("canvas, svg").first).to_be_visible(timeout=PATIENCE_MS)
    page.screenshot(path=file)
