"""What the lasers did."""
