"""What ops knows of a claim, who may do what, and how the stages stand. Pure: takes values, returns values."""
