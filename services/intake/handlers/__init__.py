"""What intake does with reports, papers, withdrawals and drafts: each records, publishes, marks, and then answers."""
