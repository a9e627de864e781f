//! Reports, cards, plots and deploy files from the tables.
