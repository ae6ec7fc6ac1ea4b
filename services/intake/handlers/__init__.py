"""What intake does with what comes in: reports, papers, withdrawals, drafts. Each records, publishes, marks, answers."""
