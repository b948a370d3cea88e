"""Published training runs: read, predicted from what they state, fitted and scored."""
