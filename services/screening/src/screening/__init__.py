"""Who may be treated, and why."""
