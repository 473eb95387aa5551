"""Updates one session many times between two marks, for a system call tracer."""

from __future__ import annotations

import os
import sys

from sessionstore import open_store

if __name__ == "__main__":
    store = open_store(sys.argv[1])
    times = int(sys.argv[2])
    for _ in range(3):
        store.patch("agent:main:0", {"n": -1})
    os.access("/begin-of-updates", os.F_OK)
    for number in range(times):
        store.patch("agent:main:0", {"n": number}, return_entry=False)
    os.access("/end-of-updates", os.F_OK)
