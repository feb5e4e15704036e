"""What tests share: brokers under test, waiting with a deadline, the command line as a child process."""
