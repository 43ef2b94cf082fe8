"""What turns measured counts into pages."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import picture, report


@pytest.mark.parametrize("trials", [1, 10, 1000])
def test_limits_of_none_and_all_have_a_closed_form(trials: int) -> None:
    bound = 0.025 ** (1 / trials)
    assert report.interval(0, trials) == pytest.approx((0, 1 - bound), abs=1e-9)
    assert report.interval(trials, trials) == pytest.approx((bound, 1), abs=1e-9)


def test_limits_agree_with_published_ones() -> None:
    # Clopper and Pearson, 10 of 100: the usual textbook figures
    assert report.interval(10, 100) == pytest.approx((0.0490, 0.1762), abs=5e-5)


def test_upper_bound_is_the_rule_of_three() -> None:
    assert report.upper_bound(1000) == pytest.approx(3 / 1000, rel=0.01)


def test_a_section_is_replaced_and_the_rest_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- one -->\nold\n<!-- /one -->\nafter\n")
    for text in ("new", "newer"):
        report.write_section("page.md", "one", text)
        assert page.read_text() == f"before\n<!-- one -->\n\n{text}\n\n<!-- /one -->\nafter\n"
    with pytest.raises(SystemExit):
        report.write_section("page.md", "two", "lost")
    assert "lost" not in page.read_text()


def test_the_picture_is_well_formed_and_has_every_mark() -> None:
    points = [picture.Point(jitter, 90, 9, 1, 100) for jitter in (0.0, 8.0, 16.0)]
    root = ElementTree.fromstring(picture.robustness({1: points, 2: points}))
    shapes = [one for one in root if one.get("stroke-width") == "2"]
    panels, legend = len(picture.PANELS), 1
    assert len(shapes) == len(picture.PEERS) * (panels * len(picture.PEER_JITTER) + legend)
