"""One patient's way through all four services, over HTTP: the demonstration and the end-to-end test."""
