"""A practitioner: what one may do, where, and when. No name is kept here, only the opaque id of the staff directory."""
