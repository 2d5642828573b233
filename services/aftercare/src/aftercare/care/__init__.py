"""The care of one treatment: its plan, its check-ins, what went wrong. Stream `care-<treatment_id>`."""
