"""The vocabulary: findings, reports, methods, triggers, policies. Standard library only."""
