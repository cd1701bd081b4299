"""The benchmarks as tasks for Inspect: load the published file, ask by the card's protocol, call the scorer."""
