"""The texts of the functions that the log has in the database: mutants are made of them."""

import re

from erbium_kernel import schema
from tests.kernel.log.grounds import SERVICE


def database_function(name: str) -> str:
    """The kernel's own text of a function of its newest step, made to replace itself."""
    text = schema.text(SERVICE, "007_commands.sql")
    found = re.search(rf"^CREATE FUNCTION {name}\(.*?^END \$\$;$", text, re.DOTALL | re.MULTILINE)
    assert found, f"the kernel's schema no longer holds {name}"
    return found[0].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
