"""Keys of cloud key services, which sign and wrap there and never leave: the port, and one adapter a file."""
