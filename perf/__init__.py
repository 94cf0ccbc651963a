"""Commands that measure how fast nadlab is, against a reference, a bare loop or the machine; one question a file."""
