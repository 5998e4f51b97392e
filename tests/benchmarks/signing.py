"""How fast signatures are made: `python -m tests.benchmarks.signing` prints one JSON object a line.

Goals are ratios within one run, to what the token alone does and to pyHanko: machines differ, and a faster
processor makes the token's part of a signature smaller.
"""

import json
import sys
from collections.abc import Iterator

from tests.benchmarks import in_process, through_service


def run() -> Iterator[dict[str, object]]:
    """Measure signing in one process, then through the service."""
    yield from in_process.run()
    yield from through_service.run()


if __name__ == "__main__":
    for result in run():
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
