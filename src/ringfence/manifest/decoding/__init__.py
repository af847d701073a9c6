"""Documents to values; absent, null and empty are told apart here."""
