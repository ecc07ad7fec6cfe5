"""The operators' commands, `flask <noun> <verb>`: one file for each noun."""
