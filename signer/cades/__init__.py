"""CAdES baseline signatures (EN 319 122-1): making, joining, countersigning them, and raising their level."""
