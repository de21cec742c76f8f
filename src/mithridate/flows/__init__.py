"""Joins of several verbs."""
