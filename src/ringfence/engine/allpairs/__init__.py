"""All pairs at once: classes of ends, atoms of ports, factorised rows."""
