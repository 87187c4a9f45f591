"""Judges and how far they can be believed: rubrics, planted replies, human labels, part 9."""
