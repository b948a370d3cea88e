"""Topologies: one file each, all of them made of hosts, switches and cables."""
