"""Training of the five reference models from a JSON config."""
