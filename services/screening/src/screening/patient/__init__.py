"""One patient of a chain: what is known, who may be treated with what until when, and the end of the record."""
