"""`python -m device_telemetry api|work|all|migrate|rebuild|parked|keys`."""

from device_telemetry.wiring import SERVICE
from erbium_kernel.service import main

if __name__ == "__main__":
    main(SERVICE)
