//! Nothing lives here but tests: see the folder `tests`.
