"""What ProcOS needs from the outside, each as a protocol; adapters are named after products."""
