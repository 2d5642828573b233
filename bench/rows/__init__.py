"""One file a row of the table: what is measured, and what it is measured against."""
