from pathlib import Path

import pytest
from toy_warehouse import ToyWarehouse, day


@pytest.fixture
def toy(tmp_path: Path) -> ToyWarehouse:
    """Three days of two tenants, not published yet."""
    warehouse = ToyWarehouse(tmp_path)
    warehouse.set_days({day(n): [("acme", "0.000000000001"), ("globex", f"{n}.25")] for n in range(3)})
    return warehouse
