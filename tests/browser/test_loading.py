"""How a page comes: everything from Accord itself, and nothing moves once it can be seen."""

import pytest

from tests.browser.visit import Visit

_SHIFT = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 500);
})"""


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_on_the_form_moves_while_it_loads(visit: Visit, width: int, lang: str) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.open_form(lang=lang)
    visit.page.reload()
    assert visit.page.locator("img").count() == 2
    assert visit.page.evaluate(_SHIFT) == 0
