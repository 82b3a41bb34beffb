"""The identities behind the survey's unified view, on data whose answers are known in closed form."""
