"""What people ask, in their words: endpoints, flows, lists of them, answers."""
