"""A laser: registered once, claimed by a clinic, faulted, locked out and released."""
