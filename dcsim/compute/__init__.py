"""From operations to time, energy and power: roofline, accelerator, server, and the fleet of servers of a run."""
