"""The `headrace` command, the embedded services and the demo."""
