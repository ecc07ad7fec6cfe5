"""What tests of several rooms build on: builders, servers, clients, and what is read out of a page."""
