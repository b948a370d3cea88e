"""How far predicted collectives are from published measurements."""
