"""The command line `flowworker`. Its users know the commands only, so nothing in here is for other programs."""
