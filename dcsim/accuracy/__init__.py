"""How far predictions are from measurements: what calibration fits, and the error of what it never saw."""
