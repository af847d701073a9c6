"""nf_tables netlink messages: transactions to bytes, dumps to tables; no socket."""
