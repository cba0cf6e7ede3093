"""Audio libraries in: every file of a folder, table or data set is measured once; a table of clips comes out."""
