"""What a laser sends ten times a second: its form, its gaps, its sums, and what they forbid. Pure, except what stores it."""
