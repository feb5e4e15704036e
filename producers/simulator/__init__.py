"""A simulated shop, its faults and incidents, and the truth about them."""
