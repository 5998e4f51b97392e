"""Making and judging electronic signatures."""
