"""Reads the text of compiled HLO modules: operations and collectives as a compiler arranged them; no JAX here."""
