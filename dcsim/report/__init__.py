"""What people see of results: the page with its figures, the terminal, progress."""
