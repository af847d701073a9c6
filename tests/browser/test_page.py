"""``matrix -o html`` in a real browser: what is clicked is told, nothing is fetched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from chromium import Browser, program

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "wordpress.html"
    command = ["matrix", "-f", "examples/wordpress", "-o", "html"]
    run = subprocess.run(
        [sys.executable, "-m", "ringfence", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    path.write_bytes(run.stdout)
    return path


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = program()
    if found is None:
        pytest.skip("no Chromium on this machine")
    with Browser(found, tmp_path_factory.mktemp("profile")) as running:
        running.open(page)
        yield running


def why(browser: Browser) -> str:
    text = browser.value("document.getElementById('why').innerText")
    assert isinstance(text, str)
    return text


def test_a_click_on_a_cell_tells_why(browser: Browser) -> None:
    browser.click("document.querySelector('#matrix [data-at=\"2,1\"]')")
    told = why(browser)
    assert "Ports: 3306" in told
    assert "ALLOW  default/wordpress-0 -> default/mysql-0:3306/TCP" in told
    assert "default/mysql ingress[0].from[0]" in told


def test_a_click_on_an_empty_cell_tells_what_isolates(browser: Browser) -> None:
    browser.click("document.querySelector('#matrix [data-at=\"0,1\"]')")
    told = why(browser)
    assert "Ports: none" in told
    assert "ISOLATED by default/default-deny, default/mysql" in told


def test_the_arrow_keys_and_enter_do_the_same(browser: Browser) -> None:
    browser.click("document.querySelector('#matrix [data-at=\"2,0\"]')")
    browser.press("ArrowRight")
    browser.press("Enter")
    assert "default/mysql-0:3306/TCP" in why(browser)


def test_a_line_of_the_diagram_tells_why_too(browser: Browser) -> None:
    line = "document.querySelector('.hit[data-to$=\"tier=mysql\"]')"
    browser.value(f"{line}.focus()")
    browser.press("Enter")
    assert "ALLOW  default/wordpress-0 -> default/mysql-0:3306/TCP" in why(browser)


def test_the_buttons_zoom_and_fit(browser: Browser) -> None:
    width = "document.querySelector('.canvas svg').viewBox.baseVal.width"
    whole = browser.value(width)
    browser.click("document.querySelector('[data-zoom=\"1.25\"]')")
    assert browser.value(width) == pytest.approx(whole / 1.25)
    browser.click("document.querySelector('[data-zoom=\"0\"]')")
    assert browser.value(width) == pytest.approx(whole)


def test_no_text_is_wider_than_its_card(browser: Browser) -> None:
    outside = browser.value("""
        [...document.querySelectorAll('.card')].flatMap(card => {
          const body = card.querySelector('.body').getBBox();
          return [...card.querySelectorAll('text')].filter(text => {
            const box = text.getBBox();
            return box.x < body.x || box.x + box.width > body.x + body.width;
          }).map(text => text.textContent);
        })
    """)
    assert outside == []


def test_the_page_asks_for_nothing_and_complains_of_nothing(
    browser: Browser, page: Path
) -> None:
    assert set(browser.requests) == {page.as_uri()}
    assert browser.complaints == []


def test_no_text_of_a_diagram_sticks_out_of_its_card_or_the_page(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    # By the fonts of this machine: on most with Linux they are wide ones.
    names = ("internet-gateway", "fluent-bit-filter-0", "little-tiller-fluentd")
    selectors = [{"app": name} for name in names]
    pods = [
        {"kind": "Pod", "metadata": {"name": labels["app"], "labels": labels}}
        for labels in selectors
    ]
    policies = [
        {
            "kind": "NetworkPolicy",
            "metadata": {"name": labels["app"]},
            "spec": {
                "podSelector": {"matchLabels": labels},
                "ingress": [{"from": [{"podSelector": {"matchLabels": other}}]}],
                "egress": [{"to": [{"podSelector": {}}]}],
            },
        }
        for labels, other in pairwise([*selectors, *selectors[:1]])
    ]
    for version, entries in (("v1", pods), ("networking.k8s.io/v1", policies)):
        typed = [{"apiVersion": version, **entry} for entry in entries]
        listed = {"apiVersion": "v1", "kind": "List", "items": typed}
        (tmp_path / f"{len(version)}.json").write_text(json.dumps(listed))
    command = ("matrix", "--by", "pod", "-o", "html", "-f", str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-m", "ringfence", *command],
        stdout=subprocess.PIPE,
        check=True,
    )
    (tmp_path / "pods.html").write_bytes(run.stdout)
    sticking_out = """
        [...document.querySelectorAll('.canvas svg text')].filter(text => {
            const box = text.getBBox();
            const body = text.closest('.card')?.querySelector('.body');
            const room = body ? body.getBBox() : text.ownerSVGElement.viewBox.baseVal;
            return box.x < room.x || box.x + box.width > room.x + room.width - 4;
        }).map(text => text.textContent).join('|')
    """
    try:
        browser.open(tmp_path / "pods.html")
        assert browser.value("document.querySelectorAll('.card').length") == len(names)
        assert browser.value(sticking_out) == ""
    finally:
        browser.open(page)
