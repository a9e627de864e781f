//! Requests to serve: profiles, arrivals, lengths, sessions and public traces.
