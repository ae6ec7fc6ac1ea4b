"""Assessment's doors to the outside: the policy system, the database, the files of rules."""
