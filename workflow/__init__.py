"""Who signs what, in which order and capacity."""
