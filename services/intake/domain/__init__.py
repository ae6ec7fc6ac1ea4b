"""What a report must be, and what follows from it. Pure: no clock, no I/O, no ids but those a cause gives."""
