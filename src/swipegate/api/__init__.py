"""gRPC: one servicer a proto service."""
