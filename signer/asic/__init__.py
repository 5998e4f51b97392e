"""ASiC containers with CAdES signatures (EN 319 162-1): reading, making and extending them."""
