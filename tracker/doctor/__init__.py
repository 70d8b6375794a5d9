"""What a bug report needs to know of a machine, each thing looked at in a process of its own.

Imports what it looks at, and that late: a library that does not load is a row of the report, not
the end of it.
"""
