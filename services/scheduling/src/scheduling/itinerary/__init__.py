"""A patient's itinerary: all visits at all clinics of the chain, with the heard facts that decide about them, in one stream."""
