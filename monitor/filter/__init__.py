"""What matters: pure functions from a post to what it says and which rules it meets."""
