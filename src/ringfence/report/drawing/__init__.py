"""Where on a picture things stand, and its SVG."""
