"""Signatures over statements: who vouches for which bytes, and what they say of them."""
