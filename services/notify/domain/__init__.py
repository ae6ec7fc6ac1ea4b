"""The pure core of notify: who is told what, in which words, as which mail."""
