"""dcsim: a discrete-event simulator of AI data centers."""
