"""What follows from what was heard, and from one own stream on another."""
