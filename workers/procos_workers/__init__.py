"""The TDEs that come with ProcOS; they use the public SDK only, like everybody's."""
