"""The one exception for bad input: a sentence that says what is wrong, where, and what to do."""


class UserError(ValueError):
    """Input that the user can mend; command lines print its sentence and exit with status 2."""
