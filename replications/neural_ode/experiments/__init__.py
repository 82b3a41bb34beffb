"""One file per table or figure that is replicated, and the trainings they need."""
