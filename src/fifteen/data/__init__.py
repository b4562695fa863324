"""Where images come from, how they are split, and how they are fed to a network."""
