"""A table of bad inputs by kind, each with the sentence that a user gets."""
