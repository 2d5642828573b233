"""What operators do: foresee, rebuild beside, reconcile, look back."""
