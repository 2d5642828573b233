"""What aftercare does by itself when others tell something."""
