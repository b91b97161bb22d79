"""The page that reads expressions in the browser: its files, and how a folder of them is made."""
