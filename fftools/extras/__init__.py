"""What some chapters need beside the rules and the loop: measuring, pipelining, class activation maps."""
