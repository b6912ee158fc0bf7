"""Implementations that are known to be wrong, each in one way, and the matrix of what kills them."""
