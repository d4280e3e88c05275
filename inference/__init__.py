"""A consultation becomes a diagnosis with verified citations, or an abstention."""
