"""Tables and figures of the results, without a window."""
