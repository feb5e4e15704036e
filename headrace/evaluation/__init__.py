"""How well Headrace finds what is wrong: simulated streams whose truth is known, judged, and compared with that truth."""
