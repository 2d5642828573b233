"""A clearance as this service heard it; here it is decided whether a treatment may open."""
