"""One file per provider: its routes, its words, its signatures."""
