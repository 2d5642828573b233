"""The workbench: local stack, simulated fleet, operator tools."""
