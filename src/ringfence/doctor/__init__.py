"""What stands in the way of enforcement on a node: facts, and judgements of them."""
