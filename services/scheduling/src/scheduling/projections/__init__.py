"""Read tables: what a GET shows. No decision reads them."""
