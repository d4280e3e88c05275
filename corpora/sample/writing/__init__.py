"""Texts of the sample guidelines and the layout that turns them into PDF."""
