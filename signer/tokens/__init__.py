"""Keys in PKCS#11 tokens and HSMs: finding them by certificate, signing with them, making them."""
