"""Many runs of one question: the variants of a scenario."""
