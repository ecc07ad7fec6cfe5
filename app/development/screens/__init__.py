"""`/dev/screens`, in development only: every page in every state, from values that stand here.

A translator sees each text in its place, and a test looks at every page there is.
"""
