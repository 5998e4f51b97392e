"""Keeping documents and the proofs of what they were, for decades."""
