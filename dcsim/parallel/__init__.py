"""From operations to what each class of identical ranks does."""
