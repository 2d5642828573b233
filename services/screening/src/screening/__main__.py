"""`python -m screening api|work|all|migrate|rebuild|parked|keys`."""

from erbium_kernel.service import main
from screening.wiring import SERVICE

if __name__ == "__main__":
    main(SERVICE)
