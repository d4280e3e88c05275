"""Settings, the one assembly, and the command line."""
