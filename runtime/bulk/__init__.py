"""Ingest and re-indexing on a Ray cluster: the costly pure steps there, everything that is written here.

`cluster` and `engine` are the side of the one writer, `ray_child` the process between it and the cluster (the only one that
imports Ray), `steps` what runs on the nodes, `orders` what they tell each other.
"""
