"""Whatever goes wrong at whatever step: an honest end in time, and the next request is served."""

from pathlib import Path

import pytest

from swipegate.host import worker
from tests.adversity.fault_matrix import outcomes
from tests.devices.drivers.motorised import KINDS, Kind


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_every_trouble_at_every_step(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kind.quicken(monkeypatch)
    monkeypatch.setattr(worker, "POLL", 0.2)
    found = await outcomes(kind, tmp_path)
    wrong = [
        f"{outcome.cell}: {outcome.end}, then {outcome.next_end}, in {outcome.seconds:.1f} s"
        for outcome in found
        if not outcome.right
    ]
    assert wrong == []
    assert "4111" not in caplog.text
