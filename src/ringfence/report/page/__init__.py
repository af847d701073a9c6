"""One offline page: the picture, the matrix, and why."""
