"""What a finished model says of any picture."""
