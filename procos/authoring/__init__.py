"""What is generated from a TDE's one typed function, for its author and for whoever draws processes with it."""
