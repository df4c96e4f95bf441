"""Makes the shipped example importable, as the python TDE does with its setting `path`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
