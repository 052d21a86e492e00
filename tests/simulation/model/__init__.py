"""The simulated store beside real servers: the same answers to whatever is said."""
