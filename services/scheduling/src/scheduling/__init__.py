"""Slots that are legal, not just free."""
