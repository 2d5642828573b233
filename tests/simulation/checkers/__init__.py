"""What must hold at every commit, and what must hold when everything has come to rest."""
