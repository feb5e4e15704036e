"""Count the topics of a shop anew, by simple means of its own, and compare every figure of pages and reports with the result.

Nothing here uses ``stream_app.counts`` or ``stream_app.views`` to count: only what a figure is of is taken from there, such as
the windows of a range. Of dead letters, the judge says which values their fields had.
"""
