"""Assessment: which policy holds, whether the loss is covered, for how much, and who must look."""
