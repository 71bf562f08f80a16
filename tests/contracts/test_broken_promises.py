"""What `make prove` breaks is still there to be broken, and the test that must notice still exists.

The proof itself takes minutes and runs apart; a mistake that no longer fits the code would stop it.
"""

import pytest
from broken_promises import BREAKS, PROJECT, Break


@pytest.mark.parametrize("mistake", BREAKS, ids=lambda mistake: mistake.promise)
def test_every_mistake_fits_the_code_and_names_a_test(mistake: Break) -> None:
    assert (PROJECT / mistake.file).read_text().count(mistake.right) == 1
    module, _, name = mistake.test.partition("::")
    assert f"def {name}(" in (PROJECT / module).read_text()
