"""Runs Python on a core that was built with gcc's sanitizers: python -m tests.fuzz.sanitized -m pytest tests/core."""

import os
import subprocess
import sys
from pathlib import Path

ADDRESS_OPTIONS = {
    "detect_leaks": 0,  # the interpreter leaves to the system, at its end, what it never frees
    "allocator_may_return_null": 1,  # as malloc does, so that MemoryError is tried
}


def library(name: str) -> Path:
    """Where gcc has a library."""
    found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).resolve()


def environment() -> dict[str, str]:
    """What such a process needs: the sanitizers' runtime before all else, and an allocator that they see."""
    return {
        # C++ second: the runtime looks for its exceptions, which Atheris throws, at the start
        "LD_PRELOAD": f"{library('libasan.so')} {library('libstdc++.so.6')}",
        "ASAN_OPTIONS": ":".join(f"{name}={value}" for name, value in ADDRESS_OPTIONS.items()),
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }


if __name__ == "__main__":
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], os.environ | environment())
