"""Files become documents, passages and reference cases; the registry is what is true."""
