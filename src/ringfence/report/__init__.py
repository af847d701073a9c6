"""Values to text and JSON documents; decides nothing."""
