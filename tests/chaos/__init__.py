"""What `make chaos` does: real processes, killed at work, and a ledger of their own."""
