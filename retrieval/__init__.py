"""A query becomes rankings of reference cases and guideline passages."""
