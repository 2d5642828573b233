"""A laser as the front desk sees it: where it stands and what it can do. Telemetry owns it; this is what was heard."""
