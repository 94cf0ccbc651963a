"""How long a training takes, what it is compared with, and what several at once take."""
