"""The benchmark: many loaders side by side in one run, from what is timed to a table, data and a picture."""
