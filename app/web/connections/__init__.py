"""What a customer shares already: the list, the details, the receipt, how to stop."""
