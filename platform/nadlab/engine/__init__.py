"""Which trial runs where and when: Ray and its trials."""
