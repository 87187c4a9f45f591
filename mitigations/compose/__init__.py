"""The composition root: the only place that knows all five folders and hands them to each other."""
