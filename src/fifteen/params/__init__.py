"""params.yaml: its sections with their defaults, reading and checking them."""
