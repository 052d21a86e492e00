"""What outlives the process: streams, progress and the archive."""
