"""What operations sees: logs without personal data, metrics, health."""

from erbium_kernel.observing.health import Check, Health
from erbium_kernel.observing.logs import configure_logs
from erbium_kernel.observing.serving import PortTaken, observing_app, serving

__all__ = ["Check", "Health", "PortTaken", "configure_logs", "observing_app", "serving"]
