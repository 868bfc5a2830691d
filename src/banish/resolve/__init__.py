"""Names to addresses, and which addresses are our own."""
