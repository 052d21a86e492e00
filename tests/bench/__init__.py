"""What `make bench` measures; figures are printed and recorded, never asserted."""
