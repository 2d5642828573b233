"""`python -m scheduling api|work|all|migrate|rebuild|parked|keys`."""

from erbium_kernel.service import main
from scheduling.wiring import SERVICE

if __name__ == "__main__":
    main(SERVICE)
