"""The commands of operators, `flask …`: one file for each noun."""
