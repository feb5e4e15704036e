"""The evaluation: judge simulated streams whose truth is known, and compare findings and incidents with the truth."""
