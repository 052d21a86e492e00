"""The program in a simulated world: its time, its store, its faults."""
