"""The reporter: facts of a period become a report whose prose may be a model's and whose numbers never are."""
