"""One file per claim. Run all that need no outside data: `make bench`."""
