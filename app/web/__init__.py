"""The Flask views. A view parses the request, calls the flow or a store, and renders the answer."""
