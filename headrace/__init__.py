"""The `headrace` command, embedded services, the check of files, and the evaluation."""
