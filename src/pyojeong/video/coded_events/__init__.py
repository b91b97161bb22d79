"""Events that people coded in a clip: BORIS, ELAN and CSV files become stretches of time."""
