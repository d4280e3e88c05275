"""Datasets, arms and measures over the same assembly that is served."""
