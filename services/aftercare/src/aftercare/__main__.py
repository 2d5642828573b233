"""`python -m aftercare api|work|all|migrate|rebuild|parked|keys`."""

from aftercare.wiring import SERVICE
from erbium_kernel.service import main

if __name__ == "__main__":
    main(SERVICE)
