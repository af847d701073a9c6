"""What a picture shows, as values: cards, lines, badges."""
