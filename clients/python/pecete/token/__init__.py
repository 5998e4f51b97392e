"""The signer's side of a USB token or smart card: `pip install 'pecete[token]'` brings what drives it."""
