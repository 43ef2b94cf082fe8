"""Whatever goes wrong at whatever step: an honest end in time, and the next request is served."""

from pathlib import Path

import pytest

from swipegate.host import worker
from tests.adversity.fault_matrix import complaints, outcomes
from tests.adversity.troubles import SUBJECTS, Subject


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
async def test_every_trouble_at_every_step(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    subject.quicken(monkeypatch)
    monkeypatch.setattr(worker, "POLL", 0.2)
    assert complaints(await outcomes(subject, tmp_path)) == []
    assert "4111" not in caplog.text
