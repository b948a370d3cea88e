"""Where data lives: devices, placement of replicas, the volume with its byte ledger, and the loader's samples."""
