"""Where events come from: files, HTTP APIs and the shop simulator, sent to the raw topics."""
