//! Whole paths through the workspace, as tests: see the folder `tests` beside this one.
