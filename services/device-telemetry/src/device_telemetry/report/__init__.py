"""What was delivered, drawn and printed: plain HTML and SVG, the same bytes for the same treatment, nothing fetched from anywhere."""
