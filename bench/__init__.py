"""How fast Erbium is, as ratios to what the machine itself can do, each measured in turn with it in the same run."""
