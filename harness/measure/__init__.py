"""What is measured, and what the samples mean: statistics, latency, memory, training runs."""
