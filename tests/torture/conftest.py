"""The kinds of inputs are read by the suite itself; they are no test modules."""

collect_ignore_glob = ["kinds/*"]
