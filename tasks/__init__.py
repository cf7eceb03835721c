"""One effect each on the outside, by way of the ports; what to do is decided elsewhere."""
