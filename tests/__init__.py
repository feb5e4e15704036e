"""The tests: a file a behaviour; ``tests.support`` holds what they share."""

import warnings

with warnings.catch_warnings():
    # Warnings are errors here. kafka-python 3.0 reads its message schemas, when it is first imported, through functions
    # that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    import kafka  # noqa: F401
