"""One verb a file: parse, call a job, print."""
