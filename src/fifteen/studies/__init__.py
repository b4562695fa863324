"""Many trainings for one question: what is planned, training it, and what was measured."""
