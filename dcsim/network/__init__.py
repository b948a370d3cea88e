"""The fabric: fat-trees, routes, fair sharing of links, collectives."""
