"""A compiled cluster that follows events, and what each batch changed."""
