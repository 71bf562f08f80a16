"""The toy warehouse of the publishing tests serves here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "publishing"))
