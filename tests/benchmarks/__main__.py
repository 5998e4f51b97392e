"""`./pecete test benchmarks`: every benchmark, one JSON object a line, each with its peer in the same run."""

import json
import sys

from tests.benchmarks import demo, signing, validation


def main() -> int:
    """Run all and print; 1 when a ratio misses its goal."""
    results = [*signing.run(), *validation.run(), *demo.run()]
    for result in results:
        sys.stdout.write(json.dumps(result) + "\n")
    return 0 if all(result["reached"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
