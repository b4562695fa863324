"""Several models that answer together: rules, weights, the exported model."""
