"""Speed of the track core on one thread, in turns with a plain C loop that does the same work.

Run: .venv/bin/python -m benchmarks.core [ROW...]
It writes its table into docs/speed.md. The C loop (contenders/plain.c) is compiled here; its answers are held to ours.
"""

import argparse

from benchmarks import contest, report


def main() -> None:
    """Measure the rows asked for; all of them go into the page."""
    rows = contest.rows()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(rows)}; default all")
    asked = parser.parse_args().rows
    lines = []
    for name in asked or rows:
        row = rows[name]
        times, _ = contest.against(row, ())
        ours, plain = times["Swipegate"], times["C loop"]
        aim = f"{row.aim:g}" if row.aim else ""
        lines.append(
            [row.label, f"{ours:.3g}", aim, f"{plain:.3g}", f"{ours / plain:.2f}", f"{1e6 / ours:,.0f}"]
        )
        print(lines[-1], flush=True)
    heads = ("what", "µs a swipe", "aim", "C loop, µs", "ours / C loop", "swipes/s")
    text = report.table(heads, lines)
    where = report.circumstances(
        "python -m benchmarks.core",
        *report.versions("swipegate", "protobuf"),
        report.first_line("gcc", "--version"),
    )
    if not asked:
        report.write_section("speed.md", "core", f"{text}\n\n{where}")


if __name__ == "__main__":
    main()
