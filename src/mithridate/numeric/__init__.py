"""Pure kernels: arrays in, arrays out. No files, no findings."""
