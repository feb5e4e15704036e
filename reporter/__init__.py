"""Reports about periods of the stream: a model or a template writes the text, and every figure comes from facts."""
