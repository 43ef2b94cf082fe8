"""The peers of PyPI: PEER ROW FILE; the answer, then for each count on standard input its nanoseconds of CPU."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

PLAIN = re.compile(r"^;(\d{1,19})=(\d{4})(\d{3})(\d*)\?$")


def reader(peer: str, data: bytes) -> Callable[[], object]:
    """What reads the data once."""
    if peer == "re":
        text = data.decode()
        return lambda: PLAIN.match(text)
    import msrx

    whole = int.from_bytes(data, "big")
    bits = f"{whole:0{8 * len(data)}b}".lstrip("0")  # from the start sentinel on, the low bit first
    packed = bytes(int(bits[k : k + 8].ljust(8, "0")[::-1], 2) for k in range(0, len(bits), 8))
    return lambda: msrx.codecs.encode(packed, "iso7811_t2")


def main() -> None:
    """Answer, then measure."""
    peer, _, file = sys.argv[1:]
    read = reader(peer, Path(file).read_bytes())
    result = read()
    print(result.group() if isinstance(result, re.Match) else result, flush=True)
    for count in sys.stdin:
        start = time.process_time_ns()
        for _ in range(int(count)):
            read()
        print(time.process_time_ns() - start, flush=True)


if __name__ == "__main__":
    main()
