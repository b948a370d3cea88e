"""What predictions are held against: models that are measured on the spot, and published measurements."""
