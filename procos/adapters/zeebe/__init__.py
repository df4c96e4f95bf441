"""Zeebe over gRPC: the one door by which pyzeebe and grpcio enter."""
