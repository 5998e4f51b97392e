"""Reading XML signatures (W3C XML Signature 1.1) and what XAdES (EN 319 132-1) adds to them."""
