"""What happens to the patient afterwards."""
