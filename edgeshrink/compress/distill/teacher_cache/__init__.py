"""What a teacher says of every token of a corpus, in a hundred bytes a token: written once, read by many students."""
