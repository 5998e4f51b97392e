"""The commands of `pecete`, each a few calls of the client and what people or programs read of them."""
