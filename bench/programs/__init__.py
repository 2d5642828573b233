"""Programs that are measured, or measure, in a process of their own."""
