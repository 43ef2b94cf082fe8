"""pgbench on the statements of a ReplaceCardIfExists: what PostgreSQL itself can do.

One transaction a replacement, prepared statements, as many clients as there are calls in flight. Each client has cards
of its own, so that none waits for another: nothing is locked but what the statements lock by themselves.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.databases import Postgres

from benchmarks.population import CARD_TYPE, SYSTEM

_TICK = os.sysconf("SC_CLK_TCK")
THREADS = 2
"""Of pgbench itself."""
SCRIPT = f"""
\\set card :client_id * :slice + random(1, :slice)
\\set user random(0, :users - 1)
BEGIN;
SELECT body_mac, answer FROM idempotency
 WHERE subject = 'benchmark' AND method = 'ReplaceCardIfExists'
   AND request_id = md5('request ' || :card || :user)::uuid::text;
SELECT card.row_id, card.card_id, card.ac_system_id, card.card_type, card.internal_card_number,
       card.external_card_number, card.facility_code, card.issue_code, card.card_serial_number, card.status,
       card.create_time, ac_system.webhook_url IS NOT NULL AS delivered,
       (SELECT time FROM user_card_event WHERE user_card_event.card_id = card.card_id
         ORDER BY sequence DESC LIMIT 1) AS change_time, held.user_card_id, held.user_id,
       held.start_time, held.end_time, held.activation_time, held.deactivation_time, held.card_user_flags,
       held.sealed_pin IS NOT NULL AS has_pin
  FROM card JOIN ac_system ON ac_system.ac_system_id = card.ac_system_id
  LEFT JOIN user_card held ON held.card_id = card.card_id AND held.end_time IS NULL
 WHERE card.internal_card_number = :card AND card.ac_system_id = '{SYSTEM}' AND card.card_type = {CARD_TYPE}
   AND coalesce(card.facility_code, -1) = -1 \\gset
SELECT user_.user_id AS wanted, user_.name, user_.occupancy_id, occupancy.ac_system_id AS system
  FROM user_ LEFT JOIN occupancy ON occupancy.occupancy_id = user_.occupancy_id
 WHERE user_.delete_time IS NULL AND user_.user_id = md5('user ' || :user)::uuid::text \\gset
UPDATE user_card SET end_time = 5 WHERE card_id = :card_id AND end_time IS NULL;
INSERT INTO user_card (user_card_id, card_id, user_id, start_time, card_user_flags)
 VALUES (gen_random_uuid()::text, :card_id, :wanted, 5, 0);
INSERT INTO user_card_event
 (time, kind, card_id, before, after, pin_changed, status_before, status_after, subject, client)
 VALUES (5, 'REPLACED', :card_id, repeat('x', 230), repeat('y', 230), false, 'GOOD', 'GOOD', 'benchmark', 'benchmark')
 RETURNING sequence;
INSERT INTO idempotency (subject, method, request_id, body_mac, answer, create_time)
 VALUES ('benchmark', 'ReplaceCardIfExists', gen_random_uuid()::text, decode(repeat('ab', 32), 'hex'),
         decode(repeat('cd', 220), 'hex'), 5);
COMMIT;
"""


def cpu_of(postmaster: int) -> float:
    """Seconds of CPU that a PostgreSQL server has used, its processes that ended included."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parent, own = int(fields[1]), fields[11:13]
        if int(process.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))  # with those of its children that ended
        elif parent == postmaster:
            ticks += sum(map(int, own))
    return ticks / _TICK


def run(
    server: Postgres, database: str, clients: int, cards: int, users: int, seconds: float
) -> dict[str, Any]:
    """Transactions a second, and the database's CPU for each."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        variables = {"slice": cards // clients, "users": users}
        command = [
            *(str(server.binaries / "pgbench"), "-n", "-M", "prepared", "-f", script.name),
            *("-c", str(clients), "-j", str(THREADS), "-T", str(max(2, round(seconds)))),
            *(part for name, value in variables.items() for part in ("-D", f"{name}={value}")),
            *("-h", str(server.url().query["host"]), "-U", "postgres", database),
        ]
        before = cpu_of(server.pid)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 120)
        spent = cpu_of(server.pid) - before
    assert done.returncode == 0, done.stderr
    processed = int(_found(r"number of transactions actually processed: (\d+)", done.stdout))
    rate = float(_found(r"tps = ([0-9.]+) \(without", done.stdout))
    return {
        "transactions_per_second": round(rate),
        "database_cpu_us_per_transaction": round(spent / processed * 1e6),
        "failed": _found(r"number of failed transactions: (\d+)", done.stdout),
    }


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]
