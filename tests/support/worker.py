"""A process that does as its request says: hash, write, print, raise or crash."""

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    request = json.loads(Path(sys.argv[1]).read_text())
    if "hash" in request:
        print(hash(request["hash"]))
    if "print" in request:
        print(request["print"])
    if "write" in request:
        Path(request["write"]).write_text("done")
    if "raise" in request:
        raise ValueError(request["raise"])
    if "signal" in request:
        os.kill(os.getpid(), request["signal"])
