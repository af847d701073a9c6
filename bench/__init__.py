"""The speeds that are promised, measured on whole processes: ``make bench``."""
