"""Ensembles: combination rules, weights of the members, the exported model."""
