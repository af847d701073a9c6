"""What the API server checks of each kind, in its order and its words."""
