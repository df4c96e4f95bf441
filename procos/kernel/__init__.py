"""The kernel: boots, deploys its own processes, registers TDEs, supervises workers. It knows no TDE by name."""
