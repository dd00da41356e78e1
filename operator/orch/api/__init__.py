"""What users write and read: the custom resources, and the contracts between our processes. No I/O, no behaviour."""
