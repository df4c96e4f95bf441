"""What ProcOS tells about itself: logs, metrics, spans."""
