"""Phone Numbers: the list, one number, and the forms of what is done to numbers."""
