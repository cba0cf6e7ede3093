"""The commands behind `mu COMMAND`: arguments in, library calls, words out."""
